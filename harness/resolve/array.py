"""Make the covering array of a matrix: propose rows, resolve them, and rule out what has no solution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from packaging.version import Version

from harness.errors import UsageError
from harness.matrix.cells import cells_of
from harness.matrix.covering import drop_redundant, make_rows
from harness.matrix.expand import Row, array_inputs, cell_id, sort_rows
from harness.matrix.schema import Matrix, MatrixRow
from harness.records import Lock, Notify, discard
from harness.resolve.array_file import (
    ArrayFile,
    NoSolutionFor,
    is_stale,
    list_ruled_out,
    make_array_file,
    read_array_file,
)
from harness.resolve.indexes import check_indexes
from harness.resolve.lockfile import platform_tag
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import resolve_all

NEVER_FREE = frozenset({"python", "torch"})
"""Axes that keep their version in a search for the reason: uv needs a Python, and torch has sources."""


class MadeArray(msgspec.Struct, frozen=True):
    """A covering array: its file, the matrix with its rows, and the locks of its cells by id."""

    file: ArrayFile
    matrix: Matrix
    locks: dict[str, Lock]


async def make_array(
    matrix: Matrix,
    settings: IndexSettings,
    *,
    jobs: int = 3,
    notify: Notify = discard,
    keep: bool = False,
) -> MadeArray:
    """The covering array of a matrix that was read without one.

    Rows of the array so far are kept if they have a solution and a combination of their own. An array of
    another platform, or any with ``keep``, stays as it is unless the matrix has changed.

    Raises:
        UsageError, MachineError: as ``resolve_all``, or nothing has a solution.
    """
    earlier = _read_earlier(matrix)
    stays = earlier is not None and (keep or earlier.platform != platform_tag())
    if earlier is not None and stays and _is_current(earlier, matrix):
        rows = [dict(zip(matrix.axes, row, strict=True)) for row in earlier.rows]
        return MadeArray(earlier, _with_rows(matrix, rows), {})
    first = MatrixRow(versions={axis: versions[0] for axis, versions in matrix.axes.items()})
    settings = await check_indexes(settings, cells_of(msgspec.structs.replace(matrix, rows=(first,))))
    search = _Search(matrix, settings, jobs, notify)
    rows = await search.run(earlier)
    file = make_array_file(matrix, platform_tag(), rows, search.no_solution)
    return MadeArray(file, _with_rows(matrix, rows), search.locks)


async def find_solved(matrix: Matrix, settings: IndexSettings, *, jobs: int = 3) -> list[dict[str, str]]:
    """What the covering array of a matrix rules out although it has a solution now, on its own platform.

    Raises:
        UsageError: the array is missing or damaged.
        MachineError: as ``resolve_all``.
    """
    file = read_array_file(matrix)
    if file.platform != platform_tag():
        return []
    solved = await _Search(matrix, settings, jobs, discard).confirm(file.no_solution)
    return [each.versions for each in solved]


def _read_earlier(matrix: Matrix) -> ArrayFile | None:
    try:
        return read_array_file(matrix)
    except UsageError:  # missing, or damaged: it is made anew
        return None


def _is_current(file: ArrayFile, matrix: Matrix) -> bool:
    wanted = array_inputs({"cover": matrix.cover, "axes": matrix.axes, "exclude": matrix.exclude})
    held = array_inputs({"cover": file.cover, "axes": file.axes, "exclude": file.exclude})
    return held == wanted and list(file.axes) == list(matrix.axes) and not is_stale(file, matrix)


def _with_rows(matrix: Matrix, rows: Sequence[Row]) -> Matrix:
    """The matrix with the rows of an array, as reading its files gives it."""
    included = matrix.rows[len(matrix.rows) - len(matrix.include) :]
    own = [row.versions for row in included]
    baseline = [row.versions for row in matrix.rows[: len(matrix.rows) - len(included)]]
    array = [row for row in sort_rows([*rows, *baseline], matrix.axes) if row not in own]
    return msgspec.structs.replace(matrix, rows=(*(MatrixRow(versions=row) for row in array), *included))


class _Search:
    """Rows that are resolved, and what is found to have no solution."""

    def __init__(self, matrix: Matrix, settings: IndexSettings, jobs: int, notify: Notify) -> None:
        self.matrix, self.settings, self.jobs, self.notify = matrix, settings, jobs, notify
        self.locks: dict[str, Lock] = {}  # of rows, and of rows with free axes
        self.solved: list[Row] = []  # versions that have a solution
        self.no_solution: list[NoSolutionFor] = []
        self.strength = matrix.cover or 2
        # The cells that are there with any array, but for those with other versions or sources.
        self.always = [row.versions for row in matrix.rows if self._fits(row.versions) and not row.source]

    async def run(self, earlier: ArrayFile | None) -> list[Row]:
        """The rows of the array, in the order of the product."""
        axes = self.matrix.axes
        stay = self.always
        if earlier is not None:
            found = [dict(zip(earlier.axes, row, strict=True)) for row in earlier.rows]
            stay = [*stay, *(row for row in found if self._fits(row))]
            await self.confirm(earlier.no_solution)
        rows: list[Row] = []
        while True:
            first = [row for row in (*stay, *rows) if not self._is_known(row)]
            rows = make_rows(axes, self.strength, list_ruled_out(self.matrix, self.no_solution), first)
            known = len(self.no_solution)
            for start in range(0, len(rows), self.jobs):
                await self._resolve(rows[start : start + self.jobs])
            if len(self.no_solution) == known:
                return sort_rows(drop_redundant(axes, self.strength, rows, stay), axes)

    def _fits(self, versions: Mapping[str, str], *, whole: bool = True) -> bool:
        """Whether the axes of the matrix have these versions; with ``whole``, a version of every axis."""
        axes = self.matrix.axes
        if whole and versions.keys() != axes.keys():
            return False
        return all(text in axes.get(axis, ()) for axis, text in versions.items())

    def _is_known(self, row: Row) -> bool:
        """Whether it is known that a row has no solution."""
        return any(each.versions.items() <= row.items() for each in self.no_solution)

    async def _resolve(self, rows: Sequence[Row]) -> None:
        """Resolve rows, and rule out why some have no solution, so that rows with the same fault are left."""
        new = [row for row in rows if cell_id(row) not in self.locks and not self._is_known(row)]
        locks = await self._ask(new, self.notify)
        self.solved += [row for row, lock in zip(new, locks, strict=True) if not lock.reason]
        faults = [
            NoSolutionFor(row, lock.reason) for row, lock in zip(new, locks, strict=True) if lock.reason
        ]
        for found in await self._minimize(faults):
            if found.versions not in [each.versions for each in self.no_solution]:
                self.no_solution.append(found)

    async def _minimize(self, faults: list[NoSolutionFor]) -> list[NoSolutionFor]:
        """Leave out the versions without which there is no solution either.

        What the resolver does not name goes first, at once; then each axis by itself. The resolver is not
        asked about versions that are known to have a solution.
        """
        for axis in ("", *self.matrix.axes):
            tried = {
                place: fewer
                for place, each in enumerate(faults)
                if len(fewer := self._leave_out(axis, each)) < len(each.versions)
                and not any(fewer.items() <= solved.items() for solved in self.solved)
            }
            locks = await self._ask([self._free_others(versions) for versions in tried.values()])
            for (place, versions), lock in zip(tried.items(), locks, strict=True):
                if lock.reason:
                    faults[place] = NoSolutionFor(versions, lock.reason)
                else:
                    self.solved.append(versions)
        if empty := next((each for each in faults if not each.versions), None):
            raise UsageError(f"{self.matrix.path}: axes: no row has a solution: {empty.reason}")
        return faults

    def _leave_out(self, axis: str, fault: NoSolutionFor) -> Row:
        """The versions without that of an axis; for no axis, without those that the reason does not name."""
        return {
            name: text
            for name, text in fault.versions.items()
            if not _can_be_free(name, self.matrix) or (name != axis if axis else name in fault.reason)
        }

    async def confirm(self, earlier: Sequence[NoSolutionFor]) -> list[NoSolutionFor]:
        """Keep what had no solution in the array so far, and still has none; return what has one now."""
        bound = {axis for axis in self.matrix.axes if not _can_be_free(axis, self.matrix)}
        asked = [
            each
            for each in earlier
            if self._fits(each.versions, whole=False) and bound <= each.versions.keys()
        ]
        locks = await self._ask([self._free_others(each.versions) for each in asked])
        found = list(zip(asked, locks, strict=True))
        self.no_solution = [NoSolutionFor(each.versions, lock.reason) for each, lock in found if lock.reason]
        return [each for each, lock in found if not lock.reason]

    def _free_others(self, versions: Mapping[str, str]) -> Row:
        """A row with these versions, and on every other axis the range of its versions."""
        return {axis: versions.get(axis) or _range_of(texts) for axis, texts in self.matrix.axes.items()}

    async def _ask(self, rows: Sequence[Row], notify: Notify = discard) -> list[Lock]:
        """The locks of rows; none is resolved twice."""
        new = {cell_id(row): MatrixRow(versions=row) for row in rows if cell_id(row) not in self.locks}
        cells = cells_of(msgspec.structs.replace(self.matrix, rows=tuple(new.values())))
        locks = await resolve_all(cells, self.matrix, self.settings, jobs=self.jobs, notify=notify)
        self.locks |= {lock.cell: lock for lock in locks}
        return [self.locks[cell_id(row)] for row in rows]


def _can_be_free(axis: str, matrix: Matrix) -> bool:
    """Whether a range stands for all versions of an axis: the resolver leaves out pre-releases in it."""
    return axis not in NEVER_FREE and not any(Version(text).is_prerelease for text in matrix.axes[axis])


def _range_of(versions: Sequence[str]) -> str:
    ordered = sorted(versions, key=Version)
    return f">={ordered[0]},<={ordered[-1]}"
