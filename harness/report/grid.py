"""The cells as a grid of versions with facets, and short names of cell groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from harness.records import Run

# Grid: the two largest axes are rows and columns, every further axis is a facet


@dataclass(frozen=True)
class Row:
    """One value of the row axis, and for each column the ids of its cells."""

    value: str
    slots: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Facet:
    """One grid; ``title`` names the versions of the further axes, empty without them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class CellMap:
    """All grids of a run with their row and column axis; a missing axis is empty."""

    row_axis: str
    column_axis: str
    facets: tuple[Facet, ...]


def lay_out(run: Run) -> CellMap:
    """Arrange the planned cells as grids, old to new versions; a cell without an axis is at ``-``."""
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
    """The axes by number of versions, descending, then in the order of the matrix."""
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
    """A sort key for versions; other texts come last, in alphabetical order."""
    try:
        return 0, Version(text), ""
    except InvalidVersion:
        return 1, Version("0"), text


_NAMED = 12
"""Largest number of cell names in a table row."""


@dataclass(frozen=True)
class CellNames:
    """Short names for groups of the cells that ran, by their versions."""

    axes: Mapping[str, Mapping[str, str]]  # cell -> axis -> version

    @classmethod
    def of(cls, run: Run) -> CellNames:
        """The names of the cells that reached their checks; only these are compared."""
        ran = {cell.cell for cell in run.judgement.cells if cell.status in {"ok", "failed"}}
        return cls({each.cell.id: each.cell.axes for each in run.plan.cells if each.cell.id in ran})

    def describe(self, cells: Sequence[str]) -> str:
        """Describe a group: all cells, all with some version of one axis, or their names."""
        named = set(cells)
        if len(named) > 1 and named == self.axes.keys():
            return f"all {len(named)} cells that ran"
        if len(named) > 2 and named < self.axes.keys() and (versions := self._versions(named)):
            return f"{versions} ({len(named)} cells)"
        if len(cells) <= _NAMED:
            return ", ".join(cells)
        return f"{', '.join(cells[:_NAMED])} and {len(cells) - _NAMED} more"

    def _versions(self, named: set[str]) -> str:
        """The versions of one axis that exactly these cells have; empty without such an axis."""
        for axis in _unique(axis for cell in named for axis in self.axes[cell]):
            values = {self.axes[cell].get(axis, "") for cell in named}
            if named == {cell for cell, versions in self.axes.items() if versions.get(axis, "") in values}:
                return f"{axis} {', '.join(sorted(values, key=order_version))}"
        return ""


@dataclass(frozen=True)
class VersionNames:
    """Names of cells in a plot: ``2.4.6 · 6.2.0``, the versions of ``axes``.

    If versions are ambiguous, the names are ids and ``axes`` is empty.
    """

    axes: tuple[str, ...]
    names: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> VersionNames:
        """The names of all planned cells, by the axes in which they differ."""
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
