"""The cells as a grid of versions with facets, and short names for groups of cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from harness.records import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records import Run


# The cells as a grid: the two largest axes as rows and columns, every further axis as facets.


@dataclass(frozen=True)
class Row:
    """One value of the row axis, and for each column the ids of the cells that stand there."""

    value: str
    slots: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Facet:
    """One grid; ``title`` names the versions of the further axes, empty where there are none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class CellMap:
    """All grids of a run, and the axes that they are spanned by; a missing axis is empty."""

    row_axis: str
    column_axis: str
    facets: tuple[Facet, ...]


def lay_out(run: Run) -> CellMap:
    """The planned cells as grids, versions from old to new; a cell that lacks an axis stands at ``-``."""
    cells = {planned.cell.id: planned.cell.axes for planned in run.plan.cells}
    axes = _by_size(cells)
    row_axis, column_axis = (*axes, "", "")[:2]
    further = axes[2:]
    grouped: dict[tuple[str, ...], dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for cell, versions in cells.items():
        place = (versions.get(row_axis, "-"), versions.get(column_axis, "-"))
        grouped[tuple(versions.get(axis, "-") for axis in further)][place].append(cell)
    facets = sorted(grouped.items(), key=lambda item: [order_version(value) for value in item[0]])
    return CellMap(
        row_axis,
        column_axis,
        tuple(
            _facet(", ".join(f"{axis} {value}" for axis, value in zip(further, key, strict=True)), slots)
            for key, slots in facets
        ),
    )


def _by_size(cells: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The axes, those with most versions first; equal ones in the order of the matrix."""
    values: dict[str, set[str]] = defaultdict(set)
    for versions in cells.values():
        for axis, version in versions.items():
            values[axis].add(version)
    return sorted(values, key=lambda axis: -len(values[axis]))


def _facet(title: str, slots: Mapping[tuple[str, str], list[str]]) -> Facet:
    rows, columns = _in_order(row for row, _ in slots), _in_order(column for _, column in slots)
    return Facet(
        title,
        tuple(columns),
        tuple(Row(row, tuple(tuple(slots.get((row, column), ())) for column in columns)) for row in rows),
    )


def _in_order(values: Iterable[str]) -> list[str]:
    return sorted(set(values), key=order_version)


def order_version(text: str) -> tuple[int, Version, str]:
    """A key that sorts versions as versions; what is none comes last, by its letters."""
    try:
        return 0, Version(text), ""
    except InvalidVersion:
        return 1, Version("0"), text


_NAMED = 12
"""Names of cells that a line of a table has room for."""


@dataclass(frozen=True)
class CellNames:
    """The cells of a run that left a result, and the versions that they are told by."""

    axes: Mapping[str, Mapping[str, str]]  # cell -> axis -> version

    @classmethod
    def of(cls, run: Run) -> CellNames:
        """Those that came to their checks; the others have no part in what is compared."""
        ran = {cell.cell for cell in run.judgement.cells if cell.status in {"ok", "failed"}}
        return cls({each.cell.id: each.cell.axes for each in run.plan.cells if each.cell.id in ran})

    def say(self, cells: Sequence[str]) -> str:
        """All of them, all with some version of one axis, or their names."""
        meant = set(cells)
        if len(meant) > 1 and meant == self.axes.keys():
            return f"all {len(meant)} cells that ran"
        if len(meant) > 2 and meant < self.axes.keys() and (versions := self._versions(meant)):
            return f"{versions} ({len(meant)} cells)"
        if len(cells) <= _NAMED:
            return ", ".join(cells)
        return f"{', '.join(cells[:_NAMED])} and {len(cells) - _NAMED} more"

    def _versions(self, meant: set[str]) -> str:
        """The versions of one axis that exactly these cells have; empty where there is no such axis."""
        for axis in _unique(axis for cell in meant for axis in self.axes[cell]):
            values = {self.axes[cell].get(axis, "") for cell in meant}
            if meant == {cell for cell, versions in self.axes.items() if versions.get(axis, "") in values}:
                return f"{axis} {', '.join(sorted(values, key=order_version))}"
        return ""


@dataclass(frozen=True)
class VersionNames:
    """What a drawing calls the cells: ``2.4.6 · 6.2.0``, the versions of ``axes``, which it names once.

    By their ids, and no axes, where versions alone do not tell all cells apart.
    """

    axes: tuple[str, ...]
    names: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> VersionNames:
        """Those of the whole plan: by the axes in which its cells differ, in the order of the matrix."""
        cells = {each.cell.id: each.cell.axes for each in run.plan.cells}
        named = dict.fromkeys(axis for versions in cells.values() for axis in versions)
        axes = [axis for axis in named if len({versions.get(axis) for versions in cells.values()}) > 1]
        names = {
            cell: " · ".join(versions.get(axis, "-") for axis in axes) for cell, versions in cells.items()
        }
        if not axes or len(set(names.values())) < len(names):
            return cls((), {cell: cell for cell in cells})
        return cls(tuple(axes), names)


def _unique(names: Iterable[str]) -> list[str]:
    return sorted(set(names))
