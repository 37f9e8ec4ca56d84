"""Checks in one line each, where cells disagree, and what a red cell's lock has that a green one lacks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.outcomes import check_of, recorded_words
from harness.report.escape import shorten
from harness.report.view import SignKind, sign_cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import Finding, Observation, Outcome, PlannedCell, Run


# Every check of a cell in one line: how its cases came out, and the worst of what was measured.

OUTCOME_KINDS: dict[Outcome, SignKind] = {
    "pass": "pass",
    "fail": "red",
    "error": "red",
    "skip": "skip",
    "xfail": "xfail",
    "xpass": "red",
    "missing": "missing",
}
_SEVERITY: dict[SignKind, int] = {"red": 5, "missing": 4, "xfail": 3, "pass": 2, "skip": 1, "none": 0}


@dataclass(frozen=True)
class CheckRow:
    """One check in one cell; ``worst`` is the finding of the worst outcome that is furthest off."""

    check: str
    kind: SignKind
    counts: tuple[tuple[Outcome, int], ...]
    worst: Finding


def list_checks(findings: Sequence[Finding]) -> list[CheckRow]:
    """The checks of a cell in the order of the plan."""
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
    """How far off a measurement is, as a share of what it is held to; below any number where none is."""
    if seen is None:
        return -math.inf
    if seen.value is None:
        return math.inf
    if seen.bound == "min":
        return -seen.value
    return abs(seen.value) / seen.allowed if seen.allowed else abs(seen.value)


# Where the cells do not agree: cases whose outcome, or whose recorded behaviour, differs between them.

_SEEN = {"pass", "fail", "error", "xfail", "xpass"}


@dataclass(frozen=True)
class Seen:
    """One thing that was seen of a case, and the cells that it was seen in."""

    outcome: Outcome
    sample: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """A case that not all cells agree on."""

    case: str
    values: tuple[Seen, ...]


def find_differences(run: Run) -> list[Difference]:
    """Every case on which cells differ, in the order of the plan.

    Numbers differ in their last digits everywhere: only outcomes count, and the words that were recorded
    (types and messages of exceptions, for one).
    """
    cases: dict[str, dict[tuple[Outcome, tuple[str, ...]], list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for finding in run.judgement.findings:
        if finding.outcome in _SEEN:
            words = recorded_words(finding.observation) if finding.observation else ()
            cases[finding.check][finding.outcome, words].append(finding.cell)
    return [found for case, seen in cases.items() if len(seen) > 1 and (found := _difference(case, seen))]


def _difference(
    case: str, seen: Mapping[tuple[Outcome, tuple[str, ...]], Sequence[str]]
) -> Difference | None:
    """What was seen as a page shows it; None where all of it looks the same there."""
    shown: dict[tuple[Outcome, str], list[str]] = defaultdict(list)
    for (outcome, words), cells in seen.items():
        shown[outcome, shorten("; ".join(words), 240)] += cells
    if len(shown) < 2:
        return None
    return Difference(
        case, tuple(Seen(outcome, sample, tuple(cells)) for (outcome, sample), cells in shown.items())
    )


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
