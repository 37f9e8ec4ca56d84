"""What a cell has in its lock that the nearest green cell has not: the first place to look for a cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.view import sign_cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import PlannedCell, Run


@dataclass(frozen=True)
class LockStep:
    """One distribution, or Python, that differs: in the green cell, and in this one; empty where absent."""

    name: str
    green: str
    here: str


@dataclass(frozen=True)
class Nearest:
    """A green cell, and what is different here; a cell without a lock is compared by its axes."""

    cell: str
    steps: tuple[LockStep, ...]
    by_axes: bool = False


def find_nearest(run: Run) -> dict[str, Nearest]:
    """For each planned cell the green cell whose lock differs least; ties go to the baseline, then the plan.

    A cell that is green itself is held against the baseline. A cell without another green one is left out.
    """
    green = {cell.cell for cell in run.judgement.cells if sign_cell(cell) == "pass"}
    candidates = [each for each in run.plan.cells if each.cell.id in green and each.lock.distributions]
    candidates.sort(key=lambda each: each.cell.id != run.plan.baseline)
    base = [each for each in candidates if each.cell.id == run.plan.baseline]
    versions = {each.cell.id: _locked(each) for each in run.plan.cells}
    found: dict[str, Nearest] = {}
    for planned in run.plan.cells:
        others = base if base and planned.cell.id in green else candidates
        nearest = _nearest(planned, [each for each in others if each.cell.id != planned.cell.id], versions)
        if nearest:
            found[planned.cell.id] = nearest
    return found


def _locked(planned: PlannedCell) -> dict[str, str]:
    """What a cell runs on, its Python too; nothing where it has no lock."""
    found = {each.name: each.version for each in planned.lock.distributions}
    return {"python": planned.cell.python, **found} if found else found


def _nearest(
    planned: PlannedCell, others: Sequence[PlannedCell], versions: Mapping[str, dict[str, str]]
) -> Nearest | None:
    if not others:
        return None
    here = versions[planned.cell.id]
    if not here:
        axes = planned.cell.axes
        best = min(others, key=lambda each: len(axes.items() ^ each.cell.axes.items()))
        return Nearest(best.cell.id, compare(best.cell.axes, axes), by_axes=True)
    best = min(others, key=lambda each: len(here.items() ^ versions[each.cell.id].items()))
    return Nearest(best.cell.id, compare(versions[best.cell.id], here))


def compare(green: Mapping[str, str], here: Mapping[str, str]) -> tuple[LockStep, ...]:
    """What differs between two sets of versions, by name."""
    names = sorted({name for name, _ in green.items() ^ here.items()})
    return tuple(LockStep(name, green.get(name, ""), here.get(name, "")) for name in names)
