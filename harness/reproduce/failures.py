"""Which failure of a run is meant, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf

from harness.cell.interface import list_measured_by
from harness.errors import UsageError
from harness.records import Finding, Plan, PlannedCell, Service, describe_machine
from harness.reproduce.script_recipes import IMPORT, Recipe

_LISTED = 8
"""Cases that a message lists."""

ORDER = ("fail", "error", "xfail", "limit", "note")
"""Outcomes of cases that differ, those first of which a script is wanted most."""


@dataclass(frozen=True)
class Failure:
    """A case that failed in a cell, and the cell that it is compared with.

    Attributes:
        finding: None for a cell that cannot import its packages, which is ``script_recipes.IMPORT``.
        baseline: None where the run has none.
        right: whether the case passed there.
    """

    case: str
    planned: PlannedCell
    finding: Finding | None
    baseline: PlannedCell | None
    right: bool
    service: Service
    machine: str

    def choose_allowed(self, recipe: Recipe) -> float:
        """The largest difference that is right, as the check judged it; any where the check raised."""
        if self.finding is None:
            return recipe.allowed or 0.0
        seen = self.finding.observation
        if seen is None or seen.allowed is None:
            return inf
        return seen.allowed if recipe.allowed is None else recipe.allowed

    def name_exception(self, recipe: Recipe) -> str | None:
        """The exception with which the script has to fail; empty: with none; None: any or none will do.

        Functions of the library and the reference may raise where the check records a wrong value.
        """
        if self.finding is not None and self.finding.observation is None:
            return self.finding.message.partition(":")[0]
        return "" if recipe.takes_model and recipe.starts else None


def choose_failure(plan: Plan, findings: Sequence[Finding], case: str, cell: str) -> Failure:
    """The failure that is meant: the first in the order of ``ORDER`` and of the plan.

    Raises:
        UsageError: no cell or no case has this name, or the case is right in these cells.
    """
    planned = {each.cell.id: each for each in plan.cells}
    chosen = {name: each for name, each in planned.items() if fnmatchcase(name, cell)}
    if not chosen:
        raise UsageError(f"--cell {cell}: the run has no such cell; `harness cells` lists them")
    mine = [each for each in findings if each.cell in chosen]
    if case == IMPORT:
        return _choose_broken(plan, mine, chosen)
    failed = [each for each in mine if each.outcome in ORDER]
    globs = (case, f"{case}/*", f"{case}*")
    found = next(
        (hits for glob in globs if (hits := [each for each in failed if fnmatchcase(each.check, glob)])), []
    )
    if not found:
        names = list(dict.fromkeys(each.check for each in failed))
        listed = f"these do: {', '.join(names[:_LISTED])}" + (", ..." if len(names) > _LISTED else "")
        raise UsageError(f"{case}: no such case differs in these cells; {listed if names else 'none does'}")
    first = min(found, key=lambda each: ORDER.index(each.outcome))
    passes = {each.cell for each in findings if each.check == first.check and each.outcome == "pass"}
    compared = bool(list_measured_by("controller", [first.check]))  # with the baseline
    right = compared or plan.baseline in passes
    return _describe(plan, first.check, chosen[first.cell], first, right=right)


def _choose_broken(plan: Plan, findings: Sequence[Finding], chosen: dict[str, PlannedCell]) -> Failure:
    """A cell that could not import its packages."""
    broken = [each.cell for each in findings if each.outcome == "missing" and IMPORT in each.message]
    if not broken:
        raise UsageError(f"{IMPORT}: every one of these cells can import its packages")
    return _describe(plan, IMPORT, chosen[broken[0]], None)


def _describe(
    plan: Plan, case: str, planned: PlannedCell, finding: Finding | None, *, right: bool = False
) -> Failure:
    known = (*plan.cells, *([plan.baseline_cell] if plan.baseline_cell else ()))
    return Failure(
        case=case,
        planned=planned,
        finding=finding,
        baseline=next((each for each in known if each.cell.id == plan.baseline), None),
        right=right,
        service=plan.service or Service(),
        machine=describe_machine(plan.machine),
    )
