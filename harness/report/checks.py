"""Checks in one line each, differences between cells, and locks of red cells against green ones."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cell.interface import check_of
from harness.judge.outcomes import MEASURED, recorded_words
from harness.report.escape import shorten
from harness.report.view import SignKind, sign_cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import Finding, Observation, Outcome, PlannedCell, Run


# Checks of a cell

OUTCOME_KINDS: dict[Outcome, SignKind] = {
    "pass": "pass",
    "fail": "red",
    "error": "red",
    "skip": "skip",
    "xfail": "xfail",
    "xpass": "red",
    "missing": "missing",
    "limit": "note",
    "note": "note",
}
_SEVERITY: dict[SignKind, int] = {
    "red": 6, "missing": 5, "xfail": 4, "note": 3, "pass": 2, "skip": 1, "none": 0,
}  # fmt: skip


@dataclass(frozen=True)
class CheckRow:
    """One check in one cell; ``worst`` is its finding with the worst outcome and the largest error."""

    check: str
    kind: SignKind
    counts: tuple[tuple[Outcome, int], ...]
    worst: Finding


def list_checks(findings: Sequence[Finding]) -> list[CheckRow]:
    """List the checks of a cell in the order of the plan."""
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        grouped[check_of(finding.check)].append(finding)
    return [_row(check, found) for check, found in grouped.items()]


def _row(check: str, findings: Sequence[Finding]) -> CheckRow:
    worst = max(findings, key=lambda finding: (_SEVERITY[_kind(finding)], _distance(finding.observation)))
    counts = Counter(finding.outcome for finding in findings)
    return CheckRow(check, _kind(worst), tuple(counts.items()), worst)


def _kind(finding: Finding) -> SignKind:
    return OUTCOME_KINDS[finding.outcome]


def _distance(seen: Observation | None) -> float:
    """Error of a measurement as a share of its tolerance; -inf without a measurement."""
    if seen is None:
        return -math.inf
    if seen.value is None:
        return math.inf
    if seen.bound == "min":
        return -seen.value
    return abs(seen.value) / seen.allowed if seen.allowed else abs(seen.value)


# Differences between cells

_SEEN = MEASURED | {"error"}
PROMOTION_CHECK = "api.promotion"
"""The check that records dtypes of common normalizers, which NumPy 2 changed (NEP 50)."""


@dataclass(frozen=True)
class Seen:
    """One observed result of a case, and the cells that have it."""

    outcome: Outcome
    sample: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """A case with different results in different cells."""

    case: str
    values: tuple[Seen, ...]


def find_differences(run: Run) -> list[Difference]:
    """Find every case on which cells differ: dtypes of common normalizers, then in the order of the plan.

    Numbers differ in their last digits everywhere, so only outcomes and recorded texts (such as types and
    messages of exceptions) are compared.
    """
    cases: dict[str, dict[tuple[Outcome, tuple[str, ...]], list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for finding in run.judgement.findings:
        if finding.outcome in _SEEN:
            recorded = recorded_words(finding.observation) if finding.observation else ()
            cases[finding.check][finding.outcome, recorded].append(finding.cell)
    differing = [(case, seen) for case, seen in cases.items() if len(seen) > 1]
    differing.sort(key=lambda pair: check_of(pair[0]) != PROMOTION_CHECK)
    return [found for case, seen in differing if (found := _difference(case, seen))]


def _difference(
    case: str, seen: Mapping[tuple[Outcome, tuple[str, ...]], Sequence[str]]
) -> Difference | None:
    """The results of a case, shortened for the page; None if they then look the same."""
    shown: dict[tuple[Outcome, str], list[str]] = defaultdict(list)
    for (outcome, recorded), cells in seen.items():
        shown[outcome, shorten("; ".join(recorded), 240)] += cells
    if len(shown) < 2:
        return None
    return Difference(
        case, tuple(Seen(outcome, sample, tuple(cells)) for (outcome, sample), cells in shown.items())
    )


@dataclass(frozen=True)
class LockStep:
    """A distribution (or Python) with its version in the green cell and in this one; empty if absent."""

    name: str
    green: str
    here: str


@dataclass(frozen=True)
class Nearest:
    """The nearest green cell and the differences to it; a cell without a lock is compared by its axes."""

    cell: str
    steps: tuple[LockStep, ...]
    by_axes: bool = False


def find_nearest(run: Run) -> dict[str, Nearest]:
    """Find for each planned cell the green cell whose lock differs least.

    Ties go to the baseline, then to the order of the plan. A green cell is compared with the baseline. A
    cell is omitted if there is no other green cell.
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
    """Distribution -> version of a cell, Python included; empty without a lock."""
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
    """List the differences between two sets of versions, by name."""
    names = sorted({name for name, _ in green.items() ^ here.items()})
    return tuple(LockStep(name, green.get(name, ""), here.get(name, "")) for name in names)
