"""Write the locks of a whole matrix, or check them, without or with resolving again."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from packaging.version import Version

from harness.errors import UsageError
from harness.files import write_whole
from harness.matrix.cells import cells_of
from harness.matrix.covering import describe_versions
from harness.matrix.expand import array_path
from harness.matrix.read import describe_lock
from harness.matrix.schema import Matrix
from harness.records import Cell, Lock, Notify, discard
from harness.resolve.array import MadeArray, find_solved, make_array
from harness.resolve.array_file import find_coverage, render_array_file
from harness.resolve.indexes import check_indexes
from harness.resolve.lockfile import (
    diff_locks,
    inputs_digest,
    is_lock,
    locks_folder,
    platform_tag,
    read_lock,
    render_lock,
    write_lock,
)
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import resolve_all

NEEDED: Mapping[str, str] = {"sentence-transformers": "6.2.0", "openvino": "2026.4.1", "torch": "2.13.0"}
"""Distribution that the suite imports -> example version; its other imports are dependencies of these."""


def refuse_lacking(matrix: Matrix, locks: Sequence[Lock]) -> None:
    """Refuse locks without a distribution that the suite imports.

    Otherwise every cell would end with the status ``import-error``, which points to the versions.

    Raises:
        UsageError: a distribution is missing; the message names matrix, package, cell, and what to add.
    """
    faults = []
    for name, version in NEEDED.items():
        lacking = [lock.cell for lock in locks if not lock.reason and not _holds(lock, name)]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            faults.append(
                f"{matrix.path}: pins.{name}: the suite imports {name}, which is missing in "
                f"{lacking[0]}{more}; name it as an axis, or under [pins], such as "
                f'{name} = {{ version = "{version}", reason = "what we run" }}'
            )
    if faults:
        raise UsageError("\n".join(faults))


def _holds(lock: Lock, name: str) -> bool:
    return any(found.name == name for found in lock.distributions)


ChangeKind = Literal["added", "changed", "removed", "unchanged"]


class LockFileChange(msgspec.Struct, frozen=True):
    """The effect of locking on one file; ``unchanged`` files are not written."""

    kind: ChangeKind
    path: Path
    note: str = ""


class LockFinding(msgspec.Struct, frozen=True):
    """One fault of the committed locks; the message names the file and the remedy."""

    kind: Literal["missing", "stale", "orphaned", "damaged", "outdated"]
    path: Path
    message: str


async def lock_matrix(
    matrix: Matrix,
    settings: IndexSettings,
    *,
    jobs: int = 3,
    notify: Notify = discard,
    keep: bool = False,
) -> tuple[LockFileChange, ...]:
    """Resolve every cell of a matrix and write its locks for the running platform.

    Nothing is written before every cell is resolved; lock files of removed cells are deleted. With ``keep``
    a lock that belongs to its cell stays as it is. The covering array of a matrix that was read without one
    is made and written with them.

    Raises:
        UsageError, MachineError: as ``resolve_all``, or a lock lacks a distribution that the suite needs; the
            committed locks are unchanged then.
    """
    folder = locks_folder(matrix, platform_tag())
    made = None
    if matrix.cover is not None:
        made = await make_array(matrix, settings, jobs=jobs, notify=notify, keep=keep)
        matrix = made.matrix
    every = cells_of(matrix)
    cells = [cell for cell in every if not (keep and _is_current(folder, cell, matrix))]
    known = {} if made is None else made.locks
    new = [cell for cell in cells if not _is_lock_of(known.get(cell.id), cell, matrix)]
    settings = await check_indexes(settings, new)
    resolved = await resolve_all(new, matrix, settings, jobs=jobs, notify=notify)
    found = known | {lock.cell: lock for lock in resolved}
    locks = [found[cell.id] for cell in cells]
    refuse_lacking(matrix, locks)
    changes = _drop_array(matrix) if made is None else [_write_array(made)]
    changes += [_write(lock, folder / f"{lock.cell}.txt") for lock in locks]
    for path in _orphans(folder, {cell.id for cell in every}):
        path.unlink()  # its header shows that the harness wrote it
        changes.append(LockFileChange("removed", path, "no cell of this id"))
    return tuple(changes)


def check_locks(matrix: Matrix) -> tuple[LockFinding, ...]:
    """Every fault of the committed locks of a matrix, for all platforms with locks, without network access.

    For a matrix without locks, every lock of the running platform is missing.
    """
    cells = {cell.id: cell for cell in cells_of(matrix)}
    mine = locks_folder(matrix, platform_tag())
    folders = sorted(matrix.folder.glob(f"locks/*/{glob.escape(matrix.name)}")) or [mine]
    return (
        *_check_array(matrix),
        *(finding for folder in folders for finding in _check_folder(folder, cells, matrix)),
    )


async def check_locks_by_resolving(
    matrix: Matrix, settings: IndexSettings, *, jobs: int = 3, notify: Notify = discard
) -> tuple[LockFinding, ...]:
    """The faults of ``check_locks``, and what a new resolution on this platform finds.

    These are locks that differ, and versions that the covering array rules out although they have a solution.

    Raises:
        UsageError, MachineError: as ``resolve_all``.
    """
    findings = list(check_locks(matrix))
    faulty = {finding.path for finding in findings}
    settings = await check_indexes(settings, cells_of(matrix))
    locks = await resolve_all(cells_of(matrix), matrix, settings, jobs=jobs, notify=notify)
    for lock in locks:
        path = locks_folder(matrix, platform_tag()) / f"{lock.cell}.txt"
        if path.exists() and path not in faulty and (kept := read_lock(path)).digest != lock.digest:
            note = _difference(kept, lock)
            findings.append(
                LockFinding("outdated", path, f"{path}: resolving again gives another lock: {note}")
            )
    if matrix.cover is not None and array_path(matrix.path) not in faulty:
        findings += _describe_solved(matrix, await find_solved(matrix, settings, jobs=jobs))
    return tuple(findings)


def _describe_solved(matrix: Matrix, solved: Sequence[Mapping[str, str]]) -> list[LockFinding]:
    path, advice = array_path(matrix.path), f"run `{describe_lock(matrix.path)}`"
    return [
        LockFinding("outdated", path, f"{path}: {describe_versions(each)} has a solution now; {advice}")
        for each in solved
    ]


def _check_array(matrix: Matrix) -> list[LockFinding]:
    path = array_path(matrix.path)
    if matrix.cover is None and path.exists():
        message = f"{path}: {matrix.name} has no key cover; run `{describe_lock(matrix.path)}`"
        return [LockFinding("orphaned", path, message)]
    try:
        find_coverage(matrix, {})
    except UsageError as error:
        return [LockFinding("stale", path, str(error))]
    return []


def _check_folder(folder: Path, cells: Mapping[str, Cell], matrix: Matrix) -> list[LockFinding]:
    findings = [
        LockFinding(
            "orphaned",
            path,
            f"{path}: {matrix.name} has no cell of this id; run `{describe_lock(matrix.path)}`",
        )
        for path in _orphans(folder, set(cells))
    ]
    for cell in cells.values():
        path = folder / f"{cell.id}.txt"
        if not path.exists():
            findings.append(
                LockFinding(
                    "missing", path, f"{path}: cell {cell.id} has no lock; run `{describe_lock(matrix.path)}`"
                )
            )
            continue
        try:
            lock = read_lock(path)
        except UsageError as error:
            findings.append(LockFinding("damaged", path, str(error)))
            continue
        if message := staleness(lock, cell, matrix, platform=folder.parent.name):
            findings.append(LockFinding("stale", path, f"{path}: {message}"))
    return findings


def staleness(lock: Lock, cell: Cell, matrix: Matrix, *, platform: str) -> str:
    """Why a lock does not belong to the current definition of a cell; empty if it does."""
    advice = f"run `{describe_lock(matrix.path)}`"
    if (lock.cell, lock.platform, lock.python) != (cell.id, platform, cell.python):
        held = f"cell {lock.cell} on {lock.platform} with Python {lock.python}"
        return f"the file holds the lock of {held}; {advice}"
    if lock.inputs != inputs_digest(cell, matrix.resolve, platform):
        return f"{matrix.name} has changed since {cell.id} was locked; {advice}"
    return ""


def _is_lock_of(lock: Lock | None, cell: Cell, matrix: Matrix) -> bool:
    return lock is not None and not staleness(lock, cell, matrix, platform=platform_tag())


def _drop_array(matrix: Matrix) -> list[LockFileChange]:
    path = array_path(matrix.path)
    if not path.is_file():
        return []
    path.unlink()
    return [LockFileChange("removed", path, "the matrix has no key cover")]


def _write_array(made: MadeArray) -> LockFileChange:
    path, text = array_path(made.matrix.path), render_array_file(made.file).encode()
    kind: ChangeKind = "changed" if path.exists() else "added"
    if kind == "changed" and path.read_bytes() == text:
        return LockFileChange("unchanged", path)
    write_whole(path, text)
    note = f"{len(made.file.rows)} rows; sets of versions without a solution: {len(made.file.no_solution)}"
    return LockFileChange(kind, path, note)


def _is_current(folder: Path, cell: Cell, matrix: Matrix) -> bool:
    """Whether a cell has a lock that belongs to it; the files of a nightly release are replaced daily."""
    if any(Version(version).is_devrelease for version in cell.axes.values()):
        return False
    try:
        lock = read_lock(folder / f"{cell.id}.txt")
    except UsageError:
        return False
    return not staleness(lock, cell, matrix, platform=folder.parent.name)


def _write(lock: Lock, path: Path) -> LockFileChange:
    kind: ChangeKind = "added"
    note = ""
    if path.exists():
        if path.read_bytes() == render_lock(lock).encode():
            return LockFileChange("unchanged", path)
        kind = "changed"
        try:
            note = _difference(read_lock(path), lock)
        except UsageError:
            note = "the file was damaged"
    write_lock(lock, path)
    return LockFileChange(kind, path, note or lock.reason)


def _orphans(folder: Path, ids: set[str]) -> list[Path]:
    """Lock files without a cell; files that the harness did not write are left out."""
    wanted = {f"{cell}.txt" for cell in ids}
    return [path for path in sorted(folder.glob("*.txt")) if path.name not in wanted and is_lock(path)]


def _difference(old: Lock, new: Lock) -> str:
    parts = []
    for change in diff_locks(old, new, asked=()).changes:
        same = " (another file)" if change.before == change.after else ""
        parts.append(f"{change.name} {change.before or 'none'} -> {change.after or 'none'}{same}")
    if old.reason != new.reason:
        parts.append(new.reason or "it has a solution now")
    return ", ".join(parts) or "other requirements, same distributions"
