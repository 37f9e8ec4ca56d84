"""The section of the page on each cell and its checks."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.cell.interface import LAYERS, QUESTIONS, check_of
from harness.judge.outcomes import is_red
from harness.report.checks import CheckRow, Nearest, find_nearest, list_checks
from harness.report.escape import scrub, shorten
from harness.report.latency_view import show_seconds
from harness.report.view import (
    SignKind,
    axis_names,
    findings_by_cell,
    only_command,
    planned_by_cell,
    results_by_cell,
    sign_cell,
    sign_layer,
    status_word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import Answered, CellResult, CellVerdict, Finding, Observation, PlannedCell, Run


# Answers and checks of a cell

ANSWER_KINDS: dict[Answered, SignKind] = {
    "yes": "pass",
    "no": "red",
    "not measured": "missing",
    "not asked": "none",
}


def view_answers(cell: CellVerdict) -> list[dict[str, str]]:
    """View the answers of a cell to the questions, without those that it was not asked."""
    return [
        {
            "title": QUESTIONS[each.question],
            "kind": ANSWER_KINDS[each.answer],
            "answer": each.answer,
            "because": shorten("; ".join(filter(None, (each.remark, each.because))), 200),
        }
        for each in cell.answers
        if each.answer != "not asked"
    ]


_CELLS_IN_FULL = 100
"""Number of cells above which the page shows only checks that differ from the baseline."""

_COUNTED = {"pass": "passed", "fail": "failed", "skip": "skipped"}


@dataclass(frozen=True)
class BaselineChecks:
    """The checks of the baseline as shown on the page, which a large sweep does not repeat."""

    cell: str
    rows: tuple[dict[str, str], ...]


def find_baseline_checks(run: Run, findings: Mapping[str, Sequence[Finding]]) -> BaselineChecks | None:
    """The checks shown once, in the baseline; None for small sweeps and without a baseline."""
    baseline = run.plan.baseline
    if baseline is None or baseline not in findings or len(run.judgement.cells) <= _CELLS_IN_FULL:
        return None
    return BaselineChecks(baseline, tuple(_check(row) for row in list_checks(findings[baseline])))


def view_checks(
    cell: CellVerdict, findings: Sequence[Finding], shown_once: BaselineChecks | None
) -> dict[str, Any]:
    """View every check in one line; none if the cell did not reach its checks."""
    died = cell.status not in {"ok", "failed"}
    if died and all(finding.outcome == "missing" for finding in findings):
        return {"checks": [], "checks_alike": 0}
    rows = [_check(row) for row in list_checks(findings)]
    repeated = () if shown_once is None or shown_once.cell == cell.cell else shown_once.rows
    other = [row for row in rows if row not in repeated]
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
    """View red cases (at most ``room``), expected and skipped ones.

    Cases that a dead cell did not reach are covered by its status.
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
    """Remove an advice that equals that of the row above; cases of one check share it."""
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
    """Format a measured value with its unit and the share of elements beyond the tolerance."""
    if seen is None:
        return ""
    value = "not finite" if seen.value is None else f"{seen.value:.4g} {seen.unit}".strip()
    return f"{value}; {seen.share:.2%} beyond" if seen.share and seen.bound == "max" else value


def show_allowed(seen: Observation | None) -> str:
    """Format the allowed value, with the value of the control."""
    if seen is None or seen.allowed is None:
        return ""
    word = {"max": "at most ", "min": "at least ", "equal": "", "none": ""}[seen.bound]
    control = "" if seen.control is None else f" (control {seen.control:.4g})"
    return f"{word}{seen.allowed:.4g}{control}"


def _by_reason(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Group findings by reason, with the checks and their numbers of cases."""
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


_RED_SHOWN, _RED_IN_ALL = 60, 1200
_LOG_OF_GREEN = 800
_LOG_LINES, _LOG_CHARACTERS, _LOGS_IN_ALL = 60, 8000, 400_000
"""Limits of red cases and of log lines, for one cell and for all; they keep the page at a few megabytes."""


def anchor_cells(run: Run) -> dict[str, str]:
    """The anchor of each cell in the page; numbered, because ids are not safe for HTML."""
    return {cell.cell: f"cell-{place}" for place, cell in enumerate(run.judgement.cells)}


def view_cells(run: Run) -> list[dict[str, Any]]:
    """View each cell, in the order of the plan."""
    planned, results, findings = planned_by_cell(run), results_by_cell(run), findings_by_cell(run)
    anchors, nearest, axes = anchor_cells(run), find_nearest(run), axis_names(run)
    room, shared, shown_once = (
        Room.share(run),
        dict(view_shared_facts(run)),
        find_baseline_checks(run, findings),
    )
    return [
        {
            "axis_values": _axis_values(planned.get(cell.cell), axes),
            "nearest": _nearest(run, nearest.get(cell.cell), anchors),
            **view_checks(cell, findings.get(cell.cell, []), shown_once),
            "anchor": anchors[cell.cell],
            "command": only_command(run, cell.cell),
            "baseline": cell.cell == run.plan.baseline,
            **_verdict(cell),
            "answers": view_answers(cell),
            **view_cases(cell, findings.get(cell.cell, []), room.cases),
            **_process(
                results.get(cell.cell),
                planned.get(cell.cell),
                shared,
                room.log if cell.red else _LOG_OF_GREEN,
            ),
            **_lock(planned.get(cell.cell)),
            "notes": [
                *_plan_notes(planned.get(cell.cell), findings.get(cell.cell, [])),
                *_result_notes(cell, results.get(cell.cell)),
            ],
        }
        for cell in run.judgement.cells
    ]


def _axis_values(planned: PlannedCell | None, axes: Sequence[str]) -> list[str]:
    return [planned.cell.axes.get(axis, "-") if planned else "-" for axis in axes]


@dataclass(frozen=True)
class Room:
    """The space of each red cell on the page, so that a completely red sweep stays readable."""

    cases: int
    log: int  # characters

    @classmethod
    def share(cls, run: Run) -> Room:
        """Share the space among the red cells."""
        red = max(1, sum(cell.red for cell in run.judgement.cells))
        return cls(
            min(_RED_SHOWN, max(4, _RED_IN_ALL // red)), min(_LOG_CHARACTERS, max(600, _LOGS_IN_ALL // red))
        )


def view_shared_facts(run: Run) -> list[tuple[str, str]]:
    """View the facts that all processes share; none for a single process."""
    facts_of_cells = [result.facts for result in run.results if result.facts]
    if len(facts_of_cells) < 2:
        return []
    same = set(facts_of_cells[0].items()).intersection(*(facts.items() for facts in facts_of_cells[1:]))
    return sorted((name, value) for name, value in same if not name.startswith("version."))


def _nearest(run: Run, nearest: Nearest | None, anchors: dict[str, str]) -> dict[str, Any] | None:
    if nearest is None:
        return None
    what = "the green cell with the nearest versions" if nearest.by_axes else "the nearest green lock"
    if nearest.cell == run.plan.baseline:
        what = "the baseline"
    return {"cell": nearest.cell, "anchor": anchors[nearest.cell], "steps": nearest.steps, "what": what}


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


def _process(
    result: CellResult | None, planned: PlannedCell | None, shared: dict[str, str], room: int
) -> dict[str, Any]:
    """View the facts of a process, without shared ones and without versions equal to the lock."""
    if result is None:
        return {"untimed": [], "log_tail": "", "facts": []}
    locked = {
        (f"version.{each.name}", each.version) for each in (planned.lock.distributions if planned else ())
    }
    return {
        "untimed": [(name, shorten(why)) for name, why in result.untimed.items()],
        "log_tail": scrub("\n".join(result.log_tail[-_LOG_LINES:]))[-room:],
        "facts": sorted(
            (name, value)
            for name, value in result.facts.items()
            if shared.get(name) != value and (name, value) not in locked
        ),
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
            notes.append(f"shares the results of {planned.same_as}, which has the same lock")
    passed = sum(1 for finding in findings if finding.outcome == "pass")
    return [*notes, f"{passed} of {len(findings)} cases pass"]


def _result_notes(cell: CellVerdict, result: CellResult | None) -> list[str]:
    if result is None:
        return []
    notes = [f"{stage} {show_seconds(seconds)}" for stage, seconds in result.seconds.items()]
    if result.peak_rss:
        notes.append(f"peak memory {result.peak_rss / 1e6:.0f} MB")
    return [*notes, f"reused from run {result.run}"] if cell.reused else notes
