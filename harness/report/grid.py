"""The cells as a grid of versions with facets, and short names of cell groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
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
    if run.plan.coverage is not None and len(axes) > 2:
        return _list_rows(cells)
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


def _list_rows(cells: Mapping[str, Mapping[str, str]]) -> CellMap:
    """A row per cell, as the grids of a covering array would be almost empty."""
    axes = dict.fromkeys(axis for versions in cells.values() for axis in versions)
    rows = [
        Row(_BETWEEN.join(versions.get(axis, "-") for axis in axes), ((cell,),))
        for cell, versions in cells.items()
    ]
    return CellMap(_BETWEEN.join(axes), "", (Facet("", ("-",), tuple(rows)),))


_BETWEEN = " \N{MIDDLE DOT} "


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
        """Describe a group: all cells, those with some versions, all but such ones, or their names."""
        named = set(cells)
        if len(named) > 1 and named == self.axes.keys():
            return f"all {len(named)} cells that ran"
        others = self.axes.keys() - named
        several = len(named) > 1 and named <= self.axes.keys()
        for name in (self.name_versions, self._name_parts) if several else ():
            if versions := name(named):
                return f"{versions} ({len(named)} cells)"
            if versions := name(others):
                return f"all but {versions} ({len(named)} cells)"
        if len(cells) <= _NAMED:
            return ", ".join(cells)
        return f"{', '.join(cells[:_NAMED])} and {len(cells) - _NAMED} more"

    def name_versions(self, cells: AbstractSet[str]) -> str:
        """The versions that exactly these cells have: ``torch 2.2 with numpy up to 2.0.2``.

        Empty if cells with the same versions are not among them, or if all cells are.
        """
        if not cells <= self.axes.keys() or cells == self.axes.keys():
            return ""
        chosen = self.find_versions(cells)
        if self._select(chosen) != cells:
            return ""
        for axis in list(chosen):  # such as a version that runs with none of the others
            fewer = {name: values for name, values in chosen.items() if name != axis}
            chosen = fewer if fewer and self._select(fewer) == cells else chosen
        ordered = sorted(chosen, key=lambda axis: (len(chosen[axis]) > 1, -len(self._all_versions(axis))))
        return " with ".join(f"{axis} {self._name(axis, chosen[axis])}" for axis in ordered)

    def _name_parts(self, cells: AbstractSet[str]) -> str:
        """The versions of two parts of a group, one of which has a single version of an axis."""
        for axis in _unique(axis for cell in cells for axis in self.axes[cell]):
            for version in _in_order(self.axes[cell].get(axis, "") for cell in cells):
                part = {cell for cell in cells if self.axes[cell].get(axis, "") == version}
                names = self.name_versions(part), self.name_versions(cells - part)
                if part < cells and all(names):
                    return ", and ".join(names)
        return ""

    def find_versions(self, cells: AbstractSet[str]) -> dict[str, frozenset[str]]:
        """The versions of a group by axis, without axes that tell nothing: those of which it has all."""
        found = {}
        for axis in _unique(axis for cell in cells for axis in self.axes[cell]):
            values = frozenset(self.axes[cell].get(axis, "") for cell in cells)
            if values != self._all_versions(axis):
                found[axis] = values
        return found

    def _select(self, versions: Mapping[str, frozenset[str]]) -> set[str]:
        """The cells with these versions."""
        return {
            cell
            for cell, own in self.axes.items()
            if all(own.get(axis, "") in values for axis, values in versions.items())
        }

    def _all_versions(self, axis: str) -> set[str]:
        return {versions.get(axis, "") for versions in self.axes.values()}

    def _name(self, axis: str, values: Collection[str]) -> str:
        """Versions in words, as a range where none between them is left out."""
        order = _in_order(self._all_versions(axis))
        places = [order.index(value) for value in _in_order(values)]
        first, last = order[places[0]], order[places[-1]]
        if len(places) < 2 or places != list(range(places[0], places[-1] + 1)):
            return ", ".join(_in_order(values))
        if not places[0]:
            return f"up to {last}"
        return f"from {first}" if places[-1] == len(order) - 1 else f"{first} to {last}"


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
