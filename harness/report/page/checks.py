"""What the page shows of the checks of one cell."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.judge.outcomes import check_of, is_red
from harness.report.check_rows import CheckRow, list_checks
from harness.report.escape import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import CellVerdict, Finding, Observation, Run

_CELLS_IN_FULL = 100
"""A sweep of more cells tells a check only where it measured something else than in the baseline."""

_COUNTED = {"pass": "passed", "fail": "failed", "skip": "skipped"}


@dataclass(frozen=True)
class Told:
    """The checks of the baseline as the page tells them there, so that a large sweep need not repeat them."""

    cell: str
    rows: tuple[dict[str, str], ...]


def find_told(run: Run, findings: Mapping[str, Sequence[Finding]]) -> Told | None:
    """What is told once, in the baseline; None in a sweep that is small enough, or without a baseline."""
    baseline = run.plan.baseline
    if baseline is None or baseline not in findings or len(run.judgement.cells) <= _CELLS_IN_FULL:
        return None
    return Told(baseline, tuple(_check(row) for row in list_checks(findings[baseline])))


def view_checks(cell: CellVerdict, findings: Sequence[Finding], told: Told | None) -> dict[str, Any]:
    """Every check in one line; none where the cell never came to its checks."""
    died = cell.status not in {"ok", "failed"}
    if died and all(finding.outcome == "missing" for finding in findings):
        return {"checks": [], "checks_alike": 0}
    rows = [_check(row) for row in list_checks(findings)]
    alike = () if told is None or told.cell == cell.cell else told.rows
    other = [row for row in rows if row not in alike]
    return {"checks": other, "checks_alike": len(rows) - len(other)}


def _check(row: CheckRow) -> dict[str, str]:
    seen = row.worst.observation
    return {
        "check": row.check,
        "kind": row.kind,
        "counts": ", ".join(f"{number} {_COUNTED.get(outcome, outcome)}" for outcome, number in row.counts),
        "measured": show_measured(seen),
        "allowed": show_allowed(seen),
        "worst": row.worst.check.partition("/")[2] if seen else "",
    }


def view_cases(cell: CellVerdict, findings: Sequence[Finding], room: int) -> dict[str, Any]:
    """Red cases (``room`` of them), expected and skipped ones.

    Those that a dead cell never came to are told by its status.
    """
    died = cell.status not in {"ok", "failed"}
    red = [each for each in findings if is_red(each.outcome) and not (died and each.outcome == "missing")]
    return {
        "red_findings": _advise_once([_row(finding) for finding in red[:room]]),
        "red_left": max(0, len(red) - room),
        "expected_findings": _by_reason(findings),
        "skipped": _skipped(findings),
    }


def _advise_once(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Leave out an advice that the row above gives already: cases of one check share it."""
    before = ["", *(row["advice"] for row in rows)]
    return [
        {**row, "advice": ""} if row["advice"] == last else row
        for last, row in zip(before, rows, strict=False)
    ]


def _row(finding: Finding) -> dict[str, str]:
    seen = finding.observation
    return {
        "check": finding.check,
        "kind": "missing" if finding.outcome == "missing" else "red",
        "outcome": finding.outcome,
        "measured": show_measured(seen),
        "allowed": show_allowed(seen),
        "worst": f"({', '.join(map(str, seen.worst))})" if seen and seen.worst else "",
        "blame": seen.blame if seen else "",
        "message": shorten(finding.message),
        "advice": finding.advice,
    }


def show_measured(seen: Observation | None) -> str:
    """What was measured, in its unit, with the share of elements beyond what is allowed."""
    if seen is None:
        return ""
    value = "not finite" if seen.value is None else f"{seen.value:.4g} {seen.unit}".strip()
    return f"{value}; {seen.share:.2%} beyond" if seen.share and seen.bound == "max" else value


def show_allowed(seen: Observation | None) -> str:
    """What is allowed, with the control that shows what a really different model measures."""
    if seen is None or seen.allowed is None:
        return ""
    word = {"max": "at most ", "min": "at least ", "equal": "", "none": ""}[seen.bound]
    control = "" if seen.control is None else f" (control {seen.control:.4g})"
    return f"{word}{seen.allowed:.4g}{control}"


def _by_reason(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Each reason with its checks, and in how many cases."""
    grouped: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in findings:
        if finding.outcome == "xfail":
            grouped[finding.expectation][check_of(finding.check)] += 1
    return [
        (reason, ", ".join(f"{check} {number}" for check, number in checks.items()))
        for reason, checks in grouped.items()
    ]


def _skipped(findings: Sequence[Finding]) -> list[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        if finding.outcome == "skip":
            grouped[shorten(finding.message)].append(finding.check)
    return list(grouped.items())
