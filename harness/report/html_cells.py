"""What the page shows of one cell."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.cell.catalogue import LAYERS
from harness.judge.outcomes import is_red
from harness.report.escape import scrub, shorten
from harness.report.latency_view import show_seconds
from harness.report.view import (
    findings_by_cell,
    only_command,
    planned_by_cell,
    results_by_cell,
    sign_cell,
    sign_layer,
    status_word,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import CellResult, CellVerdict, Finding, Observation, PlannedCell, Run

_RED_SHOWN = 60
"""Red cases shown of one cell: enough to see what it is, without a page of many megabytes."""

_LOG_LINES = 60
_LOG_CHARACTERS = 8000


def anchor_cells(run: Run) -> dict[str, str]:
    """The anchor of each cell in the page; numbers, so that no id has to be trusted."""
    return {cell.cell: f"cell-{place}" for place, cell in enumerate(run.judgement.cells)}


def view_cells(run: Run) -> list[dict[str, Any]]:
    """Everything that the template says of each cell, in the order of the plan."""
    planned, results, findings = planned_by_cell(run), results_by_cell(run), findings_by_cell(run)
    anchors = anchor_cells(run)
    return [
        {
            "anchor": anchors[cell.cell],
            "command": only_command(run, cell.cell),
            "baseline": cell.cell == run.plan.baseline,
            **_verdict(cell),
            **_cases(cell, findings.get(cell.cell, [])),
            **_process(results.get(cell.cell)),
            **_lock(planned.get(cell.cell)),
            "notes": [
                *_plan_notes(planned.get(cell.cell), findings.get(cell.cell, [])),
                *_result_notes(cell, results.get(cell.cell)),
            ],
        }
        for cell in run.judgement.cells
    ]


def _verdict(cell: CellVerdict) -> dict[str, Any]:
    return {
        "id": cell.cell,
        "kind": sign_cell(cell),
        "status": status_word(cell),
        "signs": [sign_layer(cell, layer) for layer in LAYERS],
        "reason": shorten(cell.reason, 600),
        "expected": cell.expected,
        "advice": cell.advice,
    }


def _cases(cell: CellVerdict, findings: Sequence[Finding]) -> dict[str, Any]:
    """Red, expected and skipped cases; those that a dead cell never came to are told by its status."""
    died = cell.status not in {"ok", "failed"}
    red = [each for each in findings if is_red(each.outcome) and not (died and each.outcome == "missing")]
    return {
        "red_findings": _advise_once([_row(finding) for finding in red[:_RED_SHOWN]]),
        "red_left": max(0, len(red) - _RED_SHOWN),
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


def _process(result: CellResult | None) -> dict[str, Any]:
    return {
        "untimed": [(name, shorten(why)) for name, why in result.untimed.items()] if result else [],
        "log_tail": _tail(result),
        "facts": sorted(result.facts.items()) if result else [],
    }


def _lock(planned: PlannedCell | None) -> dict[str, Any]:
    distributions = planned.lock.distributions if planned else ()
    return {
        "lock": [f"{each.name} {each.version}" for each in distributions],
        "origin": planned.lock.origin if planned else "",
    }


def _plan_notes(planned: PlannedCell | None, findings: Sequence[Finding]) -> list[str]:
    notes = []
    if planned is not None:
        notes.append(f"Python {planned.cell.python}")
        if planned.same_as:
            notes.append(f"shares the run of {planned.same_as}, whose lock is equal")
    passed = sum(1 for finding in findings if finding.outcome == "pass")
    return [*notes, f"{passed} of {len(findings)} cases pass"]


def _result_notes(cell: CellVerdict, result: CellResult | None) -> list[str]:
    if result is None:
        return []
    notes = [f"{stage} {show_seconds(seconds)}" for stage, seconds in result.seconds.items()]
    if result.peak_rss:
        notes.append(f"peak memory {result.peak_rss / 1e6:.0f} MB")
    return [*notes, f"reused from run {result.run}"] if cell.reused else notes


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
    return value if seen.share is None else f"{value}; {seen.share:.2%} beyond"


def show_allowed(seen: Observation | None) -> str:
    """What is allowed, with the control that shows what a really different model measures."""
    if seen is None or seen.allowed is None:
        return ""
    word = {"max": "at most ", "min": "at least ", "equal": "", "none": ""}[seen.bound]
    control = "" if seen.control is None else f" (control {seen.control:.4g})"
    return f"{word}{seen.allowed:.4g}{control}"


def _by_reason(findings: Sequence[Finding]) -> list[tuple[str, list[dict[str, str]]]]:
    grouped: dict[str, list[dict[str, str]]] = defaultdict(list)
    for finding in findings:
        if finding.outcome == "xfail":
            grouped[finding.expectation].append(_row(finding))
    return list(grouped.items())


def _skipped(findings: Sequence[Finding]) -> list[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        if finding.outcome == "skip":
            grouped[shorten(finding.message)].append(finding.check)
    return list(grouped.items())


def _tail(result: CellResult | None) -> str:
    if result is None:
        return ""
    return scrub("\n".join(result.log_tail[-_LOG_LINES:]))[-_LOG_CHARACTERS:]
