"""Resolve cells through uv: a lock of every distribution, or the reason why there is none."""

from __future__ import annotations

import asyncio
import datetime
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.errors import MachineError, UsageError
from harness.held import temporary_folder
from harness.matrix.schema import Matrix, Resolve
from harness.matrix.toml_file import read_toml
from harness.processes import Completed
from harness.records import Cell, Lock, Notify, Progress, discard
from harness.resolve import uv
from harness.resolve.lockfile import distributions_of, inputs_digest, make_lock, platform_tag, wheel_tags
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.uv import NoSolution, explain, read_no_solution

# Where torch comes from on Linux: a CPU wheel on the find-links, else uv's CPU index, PyPI if asked for.
#
# The torch of PyPI drags in several GB of CUDA packages.


def resolve_arguments(cell: Cell, resolve: Resolve, settings: IndexSettings) -> tuple[str, ...]:
    """What ``uv pip compile`` is told about torch for a cell."""
    if resolve.torch == "pypi":
        return ()
    asked = (Requirement(text) for text in cell.requirements)
    torch = next((found for found in asked if canonicalize_name(found.name) == "torch"), Requirement("torch"))
    return _arguments(torch, cell.python, settings)


def install_arguments(lock: Lock, settings: IndexSettings) -> tuple[str, ...]:
    """What ``uv pip sync`` is told about torch for a lock; nothing where its torch is not a CPU build."""
    version = next((found.version for found in lock.distributions if found.name == "torch"), None)
    if version is None or not (Version(version).local or "").startswith("cpu"):
        return ()
    return _arguments(Requirement(f"torch=={version}"), lock.python, settings)


def _arguments(torch: Requirement, python: str, settings: IndexSettings) -> tuple[str, ...]:
    if not sys.platform.startswith("linux") or settings.no_index:
        return ()
    if settings.has_wheel(torch, wheel_tags(python)):
        return ()
    return ("--torch-backend", "cpu")


TIMEOUT_SECONDS = 300.0
MADE = "pylock.toml"


class Guidance(msgspec.Struct, frozen=True, kw_only=True):
    """What the resolver is told beside the requirements of a cell.

    ``constraints`` (PEP 508) bind a package only if it is needed; ``preferred`` (name -> version) is kept
    wherever the requirements leave the choice; ``lowest`` takes the lowest versions of what is asked for;
    ``alone`` leaves out what that needs. ``origins`` (name -> place) says who asks for what, where that is
    not the matrix.
    """

    constraints: tuple[str, ...] = ()
    preferred: Mapping[str, str] = {}
    lowest: bool = False
    alone: bool = False
    origins: Mapping[str, str] = {}


async def resolve_all(
    cells: Sequence[Cell],
    matrix: Matrix,
    settings: IndexSettings,
    *,
    jobs: int = 3,
    notify: Notify = discard,
) -> tuple[Lock, ...]:
    """Locks of several cells, ``jobs`` resolved at a time, in the order of ``cells``.

    Raises:
        UsageError: the matrix names a package that no index has.
        MachineError: uv or the network failed; the resolutions under way are ended.
    """
    slots = asyncio.Semaphore(jobs)

    async def one(cell: Cell) -> Lock:
        async with slots:
            notify(Progress(cell=cell.id, stage="resolving", total=len(cells)))
            lock = await resolve(cell, matrix, settings)
        notify(Progress(cell=cell.id, stage="unsatisfiable" if lock.reason else "resolved", note=lock.reason))
        return lock

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(cell)) for cell in cells]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # the first to fail; the group has ended the others
    return tuple(task.result() for task in tasks)


async def resolve(
    cell: Cell,
    matrix: Matrix,
    settings: IndexSettings,
    guidance: Guidance = Guidance(),  # noqa: B008 - frozen
) -> Lock:
    """The lock of one cell on the running platform; one without a solution carries the reason.

    Raises:
        UsageError: a package is asked for that no index has; the message names the place.
        MachineError: uv or the network failed.
    """
    with temporary_folder("resolve") as folder:
        guided = _write_guidance(guidance, folder)
        arguments = (*compile_arguments(cell, matrix.resolve, settings), *guided)
        done, document = await _compile(cell, folder, arguments, settings)
    inputs = inputs_digest(cell, matrix.resolve, platform_tag())
    if document is not None:
        distributions = distributions_of(document, wheel_tags(cell.python), cell.python)
        return make_lock(cell, platform_tag(), inputs, distributions=distributions)
    return make_lock(cell, platform_tag(), inputs, reason=_reason(done, cell, matrix, guidance.origins))


async def _compile(
    cell: Cell, folder: Path, arguments: Sequence[str], settings: IndexSettings
) -> tuple[Completed, dict[str, Any] | None]:
    """Run uv; what it makes is None where it fails."""
    asked, made = folder / "requirements.in", folder / MADE
    asked.write_text("".join(f"{line}\n" for line in cell.requirements), encoding="utf-8")
    whole: tuple[str | Path, ...] = ("pip", "compile", asked, "--output-file", made, *arguments)
    env = uv.environment(settings.environment())
    try:
        done = await uv.run_uv(whole, env=env, timeout=TIMEOUT_SECONDS)
    except TimeoutError:
        raise MachineError(
            f"resolving {cell.id} took over {TIMEOUT_SECONDS:.0f} s; is the package index reachable?"
        ) from None
    return done, read_toml(made) if done.returncode == 0 else None


def _write_guidance(guidance: Guidance, folder: Path) -> tuple[str, ...]:
    """Put files for uv in its folder, and say what it is told of them; it prefers what an old lock says."""
    arguments = ["--resolution", "lowest-direct"] if guidance.lowest else []
    arguments += ["--no-deps"] if guidance.alone else []
    if guidance.constraints:
        file = folder / "constraints.txt"
        file.write_text("".join(f"{line}\n" for line in guidance.constraints), encoding="utf-8")
        arguments += ["--constraints", str(file)]
    if guidance.preferred:
        tables = (
            f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n'
            for name, version in sorted(guidance.preferred.items())
        )
        head = 'lock-version = "1.0"\ncreated-by = "harness"\n'
        (folder / MADE).write_text(head + "".join(tables), encoding="utf-8")
    return tuple(arguments)


def compile_arguments(cell: Cell, resolve: Resolve, settings: IndexSettings) -> tuple[str, ...]:
    """What ``uv pip compile`` is told beside its files."""
    arguments = ["--format", "pylock.toml", "--no-header"]
    arguments += ["--python", sys.executable, "--python-version", cell.python, "--only-binary", ":all:"]
    arguments += [argument for name in cell.source for argument in ("--no-binary", name)]
    if resolve.exclude_newer is not None:
        # A bare date would be read in the machine's time zone.
        end = resolve.exclude_newer + datetime.timedelta(days=1)
        arguments += ["--exclude-newer", f"{end.isoformat()}T00:00:00Z"]
        # The wheel of torch comes from find-links or from an index without upload times.
        for name in ("torch", *resolve.undated):
            arguments += ["--exclude-newer-package", f"{name}=false"]
    return (
        *arguments,
        *settings.resolve_arguments(),
        *resolve_arguments(cell, resolve, settings),
    )


def _reason(done: Completed, cell: Cell, matrix: Matrix, origins: Mapping[str, str]) -> str:
    """The resolver's reason; anything that is not the cell's own fate is raised.

    The exit code decides: only 1 is an answer. Its words tell what kept uv from asking for a package.
    """
    if done.returncode != 1:
        said = explain(done.stderr)[-600:] or f"exit code {done.returncode}"
        raise MachineError(f"uv could not resolve {cell.id} (network, index or uv itself): {said}")
    found = read_no_solution(done.stderr)
    if uv.is_offline():
        raise MachineError(
            f"uv could not resolve {cell.id} offline (UV_OFFLINE), so whether it has a solution is not "
            f"known: {found.reason}"
        )
    if found.unasked:
        raise MachineError(f"uv could not resolve {cell.id}: {found.unasked}")
    if found.undated and matrix.resolve.exclude_newer is not None:
        names = ", ".join(found.undated)
        raise MachineError(
            f"resolving {cell.id}: the index here gives no upload times for {names}, so none of its files "
            f"count under exclude-newer; list it in resolve.undated of {matrix.path}, or delete exclude-newer"
        )
    _refuse_unknown(found, cell, matrix, origins)
    return found.reason


def _refuse_unknown(found: NoSolution, cell: Cell, matrix: Matrix, origins: Mapping[str, str]) -> None:
    asked = {canonicalize_name(Requirement(text).name) for text in cell.requirements}
    for name in found.unknown:
        if canonicalize_name(name) in asked:  # one that only a dependency asks for is the cell's fate
            place = origins.get(canonicalize_name(name)) or f"{matrix.path}: {_key_of(name, matrix)}"
            raise UsageError(f"{place}: no index here has a package {name!r}; correct it")


def _key_of(name: str, matrix: Matrix) -> str:
    if name in matrix.axes:
        return f"axes.{name}"
    if name in matrix.pins:
        return f"pins.{name}"
    for at, row in enumerate(matrix.include):
        if name in row:
            return f"include[{at}].{name}"
    for at, text in enumerate(matrix.subject.requires):
        if canonicalize_name(Requirement(text).name) == name:
            return f"subject.requires[{at}]"
    return "requirements of the suite"


def without_upload_date(matrix: Matrix) -> Matrix:
    """The matrix without its last day of uploads: an upgrade is mostly newer than that."""
    today = msgspec.structs.replace(matrix.resolve, exclude_newer=None)
    return msgspec.structs.replace(matrix, resolve=today)
