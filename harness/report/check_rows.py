"""Every check of a cell in one line: how its cases came out, and the worst of what was measured."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.outcomes import check_of
from harness.report.view import SignKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Finding, Observation, Outcome

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
