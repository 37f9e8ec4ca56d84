"""The HTML page of a gate: self-contained, of the same make as that of a sweep."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from harness.records import describe_machine
from harness.report.checks import OUTCOME_KINDS
from harness.report.escape import shorten
from harness.report.explain import explain_named
from harness.report.gate.acceptance import (
    HOW,
    MOST_LINES,
    list_accepted,
    list_ineffective,
    list_remaining,
    suggest_lines,
)
from harness.report.gate.cause_view import view_cause
from harness.report.gate.drift import list_distances, list_rankings
from harness.report.gate.headline import find_headline, view_questions, view_tiles
from harness.report.gate.speed_view import (
    count_outcomes,
    describe_effort,
    find_remedies,
    group_why,
    show_limit,
    show_noise,
    show_percent_interval,
    show_percents,
    show_value,
    unclear,
    worst_first,
)
from harness.report.gate.view import (
    ACCEPT_KNOWN,
    UNCONFIRMED,
    count_changes,
    culprit_command,
    culprits_of,
    describe_further_changes,
    describe_judged,
    describe_origin,
    describe_unchanged,
    fresh_findings,
    fresh_known,
    group_findings,
    group_known,
    list_repeats,
    name_candidate,
    name_note,
    rerun_command,
)
from harness.report.headline import STATUS_WORDS
from harness.report.page.html import PLOTS, render_template
from harness.report.plots.intervals import NARROWEST, count_clamped, plot_intervals
from harness.report.questions import describe_service, list_limits
from harness.report.view import SIGNS, SignKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records import (
        Decision,
        Finding,
        Gate,
        LockChange,
        QuantityDecision,
        QuantityOutcome,
        Run,
        Speed,
    )

QUANTITY_KINDS: dict[QuantityOutcome, SignKind] = {
    "passed": "pass",
    "regressed": "red",
    "undecided": "missing",
    "control-failed": "missing",
    "unmeasured": "missing",
}

_GROUPS_SHOWN, _CASES_SHOWN, _ROWS_SHOWN = 60, 400, 400
"""Limits of the groups of findings, of the cases by name, and of the rows of any other table."""

_FOLD_ABOVE = 20
"""Transitive changes above this number are folded."""

SECTIONS = (
    ("new", "What is new"),
    ("cause", "Cause"),
    ("drift", "Drift of the vectors"),
    ("cost", "Latency and memory"),
    ("upgrade", "Changes of the upgrade"),
    ("method", "Method"),
    ("reproduce", "Reproduce"),
)
"""Anchors and titles of the sections; ``cause`` is there if searched, ``method`` if checks are named."""


def render_gate_html(gate: Gate, run: Run | None) -> str:
    """Render a gate as one page of HTML; ``run`` has the measurements of both cells, if any was judged."""
    cause, explained = view_cause(gate), explain_named(_list_cases(gate.decision))
    return render_template(
        "gate.html.j2",
        scripts=(PLOTS,),
        gate=gate,
        headline=find_headline(gate),
        signs={kind: unicode for kind, (unicode, _) in SIGNS.items()},
        service=describe_service(gate.question.service),
        candidate=name_candidate(gate),
        judged=describe_judged(gate),
        machine=describe_machine(run.plan.machine) if run is not None else "",
        tiles=view_tiles(gate, run),
        questions=view_questions(gate),
        **view_findings(gate),
        cause=cause,
        distances=list_distances(run),
        rankings=list_rankings(run),
        cost=view_cost(gate),
        upgrade=view_upgrade(gate),
        commands=list(list_commands(gate)),
        explained=explained,
        sections=[
            each
            for each in SECTIONS
            if not (each[0] == "cause" and cause is None) and not (each[0] == "method" and not explained)
        ],
    )


def _list_cases(decision: Decision) -> list[str]:
    """The cases that the page names."""
    findings = chain(
        decision.new,
        decision.unconfirmed,
        decision.known,
        decision.unchecked,
        decision.before,
        decision.gone,
        decision.limits,
    )
    return [*(each.check for each in findings), *(each.check for each in decision.notes)]


# Findings: what decides, then what does not


def view_findings(gate: Gate) -> dict[str, Any]:
    """View the findings: new ones in the open, those that do not decide folded."""
    decision = gate.decision
    accepted = decision.known if decision.accepted else ()
    folded = (
        ("Accepted known divergences", accepted),
        ("No longer checked in the candidate", decision.unchecked),
        ("Red in both environments", decision.before),
        ("No longer red in the candidate", decision.gone),
    )
    fresh = fresh_findings(gate)
    return {
        "ended": [each for each in decision.cells if each.status in STATUS_WORDS],
        "new": _groups(gate, decision.new),
        "unconfirmed": _groups(gate, decision.unconfirmed),
        "unconfirmed_title": UNCONFIRMED,
        "rerun": rerun_command(gate),
        "slower": len(list_remaining(gate)),
        "accepted": list_accepted(gate),
        "ineffective": list_ineffective(gate)[:_ROWS_SHOWN],
        "suggested": suggest_lines(gate)[:MOST_LINES],
        "how_to_accept": HOW,
        "known": group_known(fresh_known(gate)),
        "accept": ACCEPT_KNOWN,
        "cases": [(each.check, shorten(each.message)) for each in fresh[:_CASES_SHOWN]],
        "cases_left": max(0, len(fresh) - _CASES_SHOWN),
        "folded": [
            {"title": title, "count": len(found), **_groups(gate, found)} for title, found in folded if found
        ],
        "limits": list_limits(decision.limits)[:_ROWS_SHOWN],
        "notes": [
            {"name": name_note(each), "before": shorten(each.baseline), "after": shorten(each.candidate)}
            for each in decision.notes[:_ROWS_SHOWN]
        ],
    }


def _groups(gate: Gate, findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings by check, with how often they were red and why."""
    groups = group_findings(findings, gate.decision.confirmations)
    return {
        "groups": [
            {
                "kind": OUTCOME_KINDS[each.outcome],
                "outcome": each.outcome,
                "check": each.check,
                "cases": len(each.cases),
                "runs": each.runs,
                "message": shorten(each.message, 600),
                "advice": each.advice,
                "reason": each.expectation,
            }
            for each in groups[:_GROUPS_SHOWN]
        ],
        "left": max(0, len(groups) - _GROUPS_SHOWN),
    }


# Latency and memory


def view_cost(gate: Gate) -> dict[str, Any] | None:
    """View latency and memory: plots, numbers, and why quantities are undecided; None if not judged."""
    speed = gate.speed
    if speed is None:
        return None
    decisions = worst_first(speed)
    measured = [each for each in decisions if each.change is not None]
    return {
        "counted": count_outcomes(decisions),
        "effort": describe_effort(speed),
        "plot": plot_intervals(measured, key="cost-plot") if measured else None,
        "clamped": count_clamped(measured),
        "edge": f"{show_percents(NARROWEST)} and {show_percents(1 / NARROWEST)}",
        "rows": [_quantity(each) for each in decisions],
        "why": _list_why(speed),
        "remedies": find_remedies(gate, unclear(speed)),
    }


def _quantity(decision: QuantityDecision) -> dict[str, Any]:
    unit, change = decision.quantity.unit, decision.change
    return {
        "name": decision.quantity.id,
        "kind": QUANTITY_KINDS[decision.outcome],
        "outcome": decision.outcome,
        "baseline": show_value(decision.baseline, unit),
        "candidate": show_value(decision.candidate, unit),
        "change": show_percents(change.ratio) if change else "-",
        "interval": show_percent_interval(change),
        "limit": show_limit(decision),
        "noise": show_noise(decision.control),
        "blocks": decision.blocks,
    }


def _list_why(speed: Speed) -> list[dict[str, Any]]:
    return [
        {"names": names, "why": why, "because": shorten(because)}
        for (why, because), names in group_why(unclear(speed), speed).items()
    ]


# The upgrade


def view_upgrade(gate: Gate) -> dict[str, Any]:
    """View the changes of the upgrade, direct and transitive ones apart, and what was left out."""
    question = gate.question
    changes, further = question.diff.changes, question.further
    direct = [_change(each) for each in changes if each.asked]
    transitive = [_change(each) for each in changes if not each.asked]
    return {
        "counted": count_changes(gate) if changes else "",
        "unchanged": describe_unchanged(gate),
        "tables": [
            {
                "title": title,
                "rows": rows[:_ROWS_SHOWN],
                "left": max(0, len(rows) - _ROWS_SHOWN),
                "fold": fold,
            }
            for title, rows, fold in (
                ("Direct", direct, False),
                ("Transitive", transitive, len(transitive) > _FOLD_ABOVE),
            )
            if rows
        ],
        "further": further,
        "possible": describe_further_changes(further) if further is not None else "",
        "left_out": question.left_out[:_ROWS_SHOWN],
        "notes": question.notes[:_ROWS_SHOWN],
    }


def _change(change: LockChange) -> dict[str, str]:
    return {
        "name": change.name,
        "before": change.before or "\N{EN DASH}",
        "after": change.after or "\N{EN DASH}",
        "origin": describe_origin(change),
    }


# Commands


def list_commands(gate: Gate) -> Iterator[tuple[str, str]]:
    """The commands that repeat the gate, its red checks only, and each cause alone."""
    yield from list_repeats(gate)
    for each in culprits_of(gate):
        if command := culprit_command(gate, each):
            yield "This change only", command
