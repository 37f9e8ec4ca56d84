"""The inputs of the cells of a sweep, the detection of changes to them, and the key of a result."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.cell import interface
from harness.cell.interface import CellSpec
from harness.errors import StoreError
from harness.files import describe_os_error, naming, walk_files
from harness.held import making_folder
from harness.isolation import NONE, Isolation, View
from harness.matrix.schema import Subject
from harness.records import CellResult, Lock, digest_value
from harness.redaction import Secrets
from harness.store.manifest import MARKER, find_changes
from harness.store.store import Store

SUITE_COPY = "suite"
"""The copy of the suite in the working folder of a process."""

_READ_ONLY = 0o444


@dataclass(frozen=True)
class Suite:
    """The snapshot of the code that cells import: its folder in the store, its digest, its files.

    Attributes:
        files: relative path -> content, in memory, out of the reach of cells.
    """

    folder: Path
    digest: str
    files: Mapping[str, bytes] = field(repr=False)

    def put(self, target: Path) -> None:
        """Write a copy for one process into a new folder, which takes some milliseconds.

        Raises:
            OSError: no room, no permission.
        """
        for name, content in self.files.items():
            path = target / name
            with naming(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                path.chmod(_READ_ONLY)  # against accidental changes; root can still write

    def find_edits(self, target: Path) -> tuple[str, ...]:
        """The files of a copy that were changed, removed or added; bytecode does not count."""
        there = dict(walk_files(target))
        return tuple(
            name
            for name in sorted({*self.files, *there})
            if name not in there or not _holds(there[name], self.files.get(name))
        )


def _holds(path: Path, content: bytes | None) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def read_suite(folder: Path) -> Suite:
    """Read the suite in a folder that holds ``harness/cell``."""
    files = {name: path.read_bytes() for name, path in walk_files(folder)}
    return Suite(folder, _identify(files), files)


def _identify(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


async def snapshot_suite(store: Store, stack: contextlib.AsyncExitStack, source: Path | None = None) -> Suite:
    """Read the code of the cell, and store one copy per content.

    Edits during a run have no effect, and a cell can import ``harness.cell`` only. The copy is in use until
    ``stack`` is closed.

    Raises:
        StoreError: the store cannot be written to.
    """
    suite = await asyncio.to_thread(_read_source, store, source)
    async with store.lock(f"suite-{suite.folder.name}"):
        await asyncio.to_thread(_ensure, suite, store)
        store.hold(stack, suite.folder)
    return suite


def _read_source(store: Store, source: Path | None) -> Suite:
    source = source or Path(interface.__file__).parent
    files = {f"harness/cell/{name}": path.read_bytes() for name, path in walk_files(source)}
    files["harness/__init__.py"] = b""
    digest = _identify(files)
    return Suite(store.suites / digest[:16], digest, files)


def _ensure(suite: Suite, store: Store) -> None:
    try:
        if suite.folder.is_dir() and not suite.find_edits(suite.folder):
            os.utime(suite.folder)
        else:
            _store_copy(suite, store)
    except OSError as error:
        raise StoreError(f"the suite cannot be copied to the store: {describe_os_error(error)}") from error


def _store_copy(suite: Suite, store: Store) -> None:
    with making_folder(store.suites) as made:
        suite.put(made)
        if suite.folder.exists():
            store.remove_entry(suite.folder)
        made.rename(suite.folder)


@dataclass(frozen=True)
class CellInputs:
    """The inputs of every cell: suite, subject, model and data; see ``harness.cell.interface.CellSpec``.

    Attributes:
        suite: copied for every process.
        identity: part -> digest of its content; a result depends on these, the lock and the machine.
        variables: environment variables of the matrix, with the values of those that are passed on.
        shipped_model: the model is that of the harness's own matrices, in whichever release.
        reads: files and folders that the subject reads beside the others.
        folder: that of the matrix, which an isolated cell can read; None where it is not.
        isolation: what is in force for every cell process.
    """

    suite: Suite
    identity: dict[str, str]
    model_dir: Path
    subject: Subject = field(default_factory=Subject)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    search_path: tuple[Path, ...] = ()
    corpus: Path | None = None
    stored: tuple[Path, ...] = ()
    golden: Path | None = None
    shipped_model: bool = False
    tolerances: dict[str, float] = field(default_factory=dict)
    profile: str = "default"
    threads: int = 1
    only: tuple[str, ...] = ()
    reads: tuple[Path, ...] = ()
    folder: Path | None = None
    isolation: Isolation = NONE

    def list_entries(self, store: Store) -> list[Path]:
        """The entries of the store that all cells use; a local model or a suite elsewhere is none."""
        places = {self.suite.folder: store.suites, self.model_dir: store.models}
        return [path for path, folder in places.items() if path.parent == folder]

    def make_key(self, lock: Lock, machine: str) -> str:
        """The key of a result; results with equal keys are interchangeable."""
        parts = {
            **self.identity,
            "lock": lock.digest,
            "machine": machine,
            "subject-paths": self.subject.paths,
            "normalized": self.subject.normalized,
            "variables": self.variables,
            "profile": self.profile,
            "threads": self.threads,
            "only": self.only,
            "golden-required": self.golden_required,
        }
        if self.is_isolated:  # nor does a result without isolation stand for one with it
            parts["isolation"] = self.isolation.fact
        return digest_value(parts)

    def wrap(
        self, argv: Sequence[str], python: Path, spec: CellSpec, *writable: Path, sealed: Sequence[Path] = ()
    ) -> tuple[str, ...]:
        """The command line that runs ``argv`` in the isolation that is in force.

        The process writes to its working folder and to ``writable``, but not to its copy of the suite, nor to
        ``sealed``.
        """
        named = (spec.model_dir, spec.corpus, spec.golden, spec.converted, *spec.search_path, *spec.stored)
        folder = () if self.folder is None else (self.folder,)
        workdir = Path(spec.workdir)
        view = View(
            python=python,
            writable=(workdir, *writable),
            readable=(*folder, *self.reads, *(Path(name) for name in named if name)),
            sealed=(workdir / SUITE_COPY, *sealed),
        )
        return self.isolation.wrap(argv, view)

    @property
    def is_isolated(self) -> bool:
        """Whether cell processes run in namespaces of their own."""
        return bool(self.isolation.program)

    @property
    def secrets(self) -> Secrets:
        """The values of the variables that are passed on, to be removed from logs and messages."""
        passed = self.subject.pass_env
        return Secrets.of({name: value for name, value in self.variables.items() if name in passed})

    @property
    def golden_required(self) -> bool:
        """Whether golden embeddings of this model and corpus must exist: both are those that are shipped."""
        return self.shipped_model and self.corpus is None

    def make_spec(self, cell: str, lock: Lock, workdir: Path, phases: tuple[str, ...]) -> CellSpec:
        """The spec of one cell process, without its latency scenarios."""
        return CellSpec(
            cell=cell,
            phases=phases,
            locked={each.name: each.version for each in lock.distributions},
            model_dir=str(self.model_dir),
            workdir=str(workdir),
            embedder=self.subject.embedder,
            normalizer=self.subject.normalizer,
            service=self.subject.final,
            query=self.subject.query or "",
            normalized=self.subject.normalized,
            setup=self.subject.setup or "",
            close=self.subject.close or "",
            batch=self.subject.batch,
            variables=tuple(sorted(self.variables)),
            search_path=tuple(str(folder) for folder in self.search_path),
            corpus="" if self.corpus is None else str(self.corpus),
            stored=tuple(map(str, self.stored)),
            golden=None if self.golden is None else str(self.golden),
            golden_required=self.golden_required,
            tolerances=dict(self.tolerances),
            only=self.only,
            profile=self.profile,
            threads=self.threads,
            bytecode=str(workdir / "bytecode") if self.is_isolated else None,
        )


# Files that all cells read and none may change: model, corpus, golden embeddings, subject.

Status = tuple[int, int, int, int]
"""Size in bytes, mtime and ctime in ns, number of hard links."""


@dataclass(frozen=True)
class SharedFiles:
    """The files that cells share, with their status at the start of the sweep.

    Changes are detected by status, in microseconds per file. A process can reset the mtime of a file, but not
    its ctime without setting the clock of the machine.
    """

    inputs: CellInputs
    before: dict[str, Status]
    more: tuple[Path, ...] = ()

    @classmethod
    def of(cls, inputs: CellInputs, *more: Path) -> SharedFiles:
        """Record the shared files, and those of ``more`` folders, before any cell runs."""
        there = (*_list_named(inputs), *_list_found(inputs, more))
        return cls(inputs, {name: _read_status(path) for name, path in there}, more)

    def find_edits(self) -> tuple[str, ...]:
        """The files that were changed or removed, and added files that a cell could import."""
        found = dict(_list_found(self.inputs, self.more))
        names = sorted({*self.before, *found})
        return tuple(
            name
            for name in names
            if name not in self.before or _is_changed(self.before[name], _read_status(Path(name)))
        )


def _list_found(inputs: CellInputs, more: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Files of folders in which an added file counts as a change: the model, and importable code."""
    golden = () if inputs.golden is None else (inputs.golden,)
    for folder in (inputs.model_dir, *golden, *more):
        yield from ((str(path), path) for _, path in _walk(folder))
    for folder in inputs.search_path:
        yield from ((str(path), path) for name, path in walk_files(folder) if name.endswith(".py"))


def _list_named(inputs: CellInputs) -> Iterator[tuple[str, Path]]:
    """Corpus, stored vectors, what the subject reads, and its packages, which may add files of their own."""
    for path in (*inputs.stored, *(() if inputs.corpus is None else (inputs.corpus,))):
        yield str(path), path
    for path in inputs.reads:
        yield from ((str(each), each) for _, each in _walk(path))
    for folder in inputs.search_path:
        for name in inputs.subject.packages:
            yield from ((str(path), path) for _, path in _walk(folder / name))


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    return walk_files(root) if root.is_dir() else iter([(root.name, root)] if root.is_file() else [])


def _read_status(path: Path) -> Status:
    try:
        status = path.stat()
    except OSError:
        return (-1, 0, 0, 0)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_nlink)


def _is_changed(before: Status, after: Status) -> bool:
    """Whether a file changed; a different number of hard links changes the ctime, but not the content."""
    linked = before[3] != after[3]
    return before[:2] != after[:2] or (before[2] != after[2] and not linked)


def find_environment_edits(python: Path) -> tuple[str, ...]:
    """The changes in the environment of an interpreter; empty for environments outside of the store."""
    environment = python.parent.parent
    damage = find_changes(environment) if (environment / MARKER).is_file() else ""
    return (f"the environment: {damage}",) if damage else ()


_SHOWN = 3


def invalidate(result: CellResult, edits: tuple[str, ...]) -> CellResult:
    """The result without its measurements, with status ``failed``, if input files changed during the run."""
    if not edits:
        return result
    more = f" and {len(edits) - _SHOWN} more" if len(edits) > _SHOWN else ""
    reason = (
        f"{', '.join(edits[:_SHOWN])}{more} changed while it ran (by the cell, or by something else on this "
        "machine), so nothing that it measured counts"
    )
    return msgspec.structs.replace(
        result, status="failed", reason=reason, cases=(), timings=(), untimed={}, edited=edits
    )
