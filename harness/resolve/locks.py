"""The locks of a whole matrix: made anew, or checked without a network."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import UsageError
from harness.matrix.cells import cells_of
from harness.matrix.read import describe_lock
from harness.matrix.schema import Matrix
from harness.records import Cell, Lock, Notify, discard
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

# What the suite imports in every cell, and a matrix that does not bring it there.

NEEDED: Mapping[str, str] = {"sentence-transformers": "6.2.0", "openvino": "2026.4.1", "torch": "2.13.0"}
"""Distribution -> a version for the example; whatever else the suite imports comes along with these."""


def refuse_lacking(matrix: Matrix, locks: Sequence[Lock]) -> None:
    """See that every lock with a solution holds what the suite imports, whoever asked for it.

    A matrix that forgets one of them would end as an import-error of every cell, which blames the versions.

    Raises:
        UsageError: one is lacking; names the matrix, the package, a cell, and what to add.
    """
    faults = []
    for name, version in NEEDED.items():
        lacking = [lock.cell for lock in locks if not lock.reason and not _holds(lock, name)]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            faults.append(
                f"{matrix.path}: pins.{name}: the suite imports {name}, and nothing brings it into "
                f"{lacking[0]}{more}; name it as an axis, or under [pins], such as "
                f'{name} = {{ version = "{version}", reason = "what we run" }}'
            )
    if faults:
        raise UsageError("\n".join(faults))


def _holds(lock: Lock, name: str) -> bool:
    return any(found.name == name for found in lock.distributions)


ChangeKind = Literal["added", "changed", "removed", "unchanged"]


class LockFileChange(msgspec.Struct, frozen=True):
    """What locking did to one file; ``unchanged`` ones are left alone."""

    kind: ChangeKind
    path: Path
    note: str = ""


class LockFinding(msgspec.Struct, frozen=True):
    """One fault of the committed locks; the message names the file and what to do."""

    kind: Literal["missing", "stale", "orphaned", "damaged", "outdated"]
    path: Path
    message: str


async def lock_matrix(
    matrix: Matrix, settings: IndexSettings, *, jobs: int = 3, notify: Notify = discard
) -> tuple[LockFileChange, ...]:
    """Resolve every cell of a matrix and write its locks for the running platform.

    Nothing is written before every cell is resolved; files of cells that are gone are removed.

    Raises:
        UsageError, MachineError: as ``resolve_all``, or a lock lacks what the suite needs; the committed
            locks are then as they were.
    """
    settings = await check_indexes(settings, cells_of(matrix))
    locks = await resolve_all(cells_of(matrix), matrix, settings, jobs=jobs, notify=notify)
    refuse_lacking(matrix, locks)
    folder = locks_folder(matrix, platform_tag())
    changes = [_write(lock, folder / f"{lock.cell}.txt") for lock in locks]
    for path in _orphans(folder, {lock.cell for lock in locks}):
        path.unlink()  # a file that the harness wrote, by its head
        changes.append(LockFileChange("removed", path, "no cell of this id"))
    return tuple(changes)


def check_locks(matrix: Matrix) -> tuple[LockFinding, ...]:
    """Every fault of the committed locks of a matrix, of all platforms that have any; no network.

    A matrix that was never locked lacks every lock of the running platform.
    """
    cells = {cell.id: cell for cell in cells_of(matrix)}
    mine = locks_folder(matrix, platform_tag())
    folders = sorted(matrix.folder.glob(f"locks/*/{glob.escape(matrix.name)}")) or [mine]
    return tuple(finding for folder in folders for finding in _check_folder(folder, cells, matrix))


async def check_locks_by_resolving(
    matrix: Matrix, settings: IndexSettings, *, jobs: int = 3, notify: Notify = discard
) -> tuple[LockFinding, ...]:
    """``check_locks``, and whether resolving again on this platform gives the same locks."""
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
    return tuple(findings)


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
    """Why a lock is not the one that this cell asks for; empty when it is."""
    advice = f"run `{describe_lock(matrix.path)}`"
    if (lock.cell, lock.platform, lock.python) != (cell.id, platform, cell.python):
        held = f"cell {lock.cell} on {lock.platform} with Python {lock.python}"
        return f"the file holds the lock of {held}; {advice}"
    if lock.inputs != inputs_digest(cell, matrix.resolve, platform):
        return f"{matrix.name} asks for something else than when {cell.id} was locked; {advice}"
    return ""


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
    """Lock files of cells that are gone; what else lies there is somebody's own."""
    wanted = {f"{cell}.txt" for cell in ids}
    return [path for path in sorted(folder.glob("*.txt")) if path.name not in wanted and is_lock(path)]


def _difference(old: Lock, new: Lock) -> str:
    parts = []
    for change in diff_locks(old, new, asked=()).changes:
        same = " (another file)" if change.before == change.after else ""
        parts.append(f"{change.name} {change.before or 'none'} -> {change.after or 'none'}{same}")
    if old.reason != new.reason:
        parts.append(new.reason or "it has a solution now")
    return ", ".join(parts) or "asked for differently, same distributions"
