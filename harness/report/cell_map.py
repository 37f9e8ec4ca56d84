"""The cells as a grid: the two largest axes as rows and columns, every further axis as facets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from harness.records import Run


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
