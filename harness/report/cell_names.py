"""Cells in few words: many by a version that they share and no other cell has, one by its versions alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.cell_map import order_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records import Run

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
