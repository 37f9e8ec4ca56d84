"""What a reader of the comment has to see first: what is new, slower, undecided, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.report.escape import code_span
from harness.report.gate_culprit_view import culprit_command, say_culprit, say_evidence
from harness.report.gate_escape import escape_prose
from harness.report.gate_markdown_parts import Room, Section, draw_table, quote_command, span
from harness.report.gate_speed_view import (
    count_outcomes,
    find_remedies,
    regressed,
    say_effort,
    say_why,
    show_change,
    show_floor,
    show_threshold,
    show_value,
    unclear,
    worst_first,
)
from harness.report.gate_view import ACCEPT_KNOWN, fresh_findings, group_findings

if TYPE_CHECKING:
    from harness.gate_records import Gate, QuantityDecision
    from harness.report.gate_view import Group

HEADER = ("quantity", "baseline", "candidate", "ratio", "may be", "noise", "processes", "outcome")


def fresh_sections(gate: Gate, room: Room) -> Iterator[Section]:
    """What is red in the candidate alone, one row a check; every case of it folded below."""
    findings = fresh_findings(gate)
    groups = group_findings(findings)
    if not groups:
        return
    rows = [
        [code_span(each.check, 120), str(len(each.cases)), _why(each), escape_prose(each.advice)]
        for each in groups
    ]
    count = f"{len(findings)} case{'s' if len(findings) > 1 else ''}"
    body = draw_table(("check", "cases", "why", "advice"), rows, room.fresh)
    if any(each.outcome == "xfail" for each in groups):
        body += ("", f"A known divergence is new here too; `{ACCEPT_KNOWN}` lets it pass.")
    yield Section(f"New in the candidate: {count}", body)
    if len(findings) > len(groups):
        cases = [[code_span(each.check, 120), code_span(each.message, 200)] for each in findings]
        yield Section(f"Every new case: {count}", draw_table(("case", "why"), cases, room.rest), folded=True)


def _why(group: Group) -> str:
    known = f"known: {escape_prose(group.expectation)} " if group.outcome == "xfail" else ""
    return f"{known}{code_span(group.message, 200)}".strip() or group.outcome


def slower_section(gate: Gate, room: Room) -> Iterator[Section]:
    """What is slower or larger for certain."""
    risen = regressed(gate.speed)
    if risen:
        rows = [row[:6] for row in _quantity_rows(risen)]
        yield Section(f"Slower, or larger: {len(risen)}", draw_table(HEADER[:6], rows, room.fresh))


def speed_section(gate: Gate, room: Room) -> Iterator[Section]:
    """Every quantity with what its decision rests on, folded."""
    if gate.speed is None:
        return
    every = worst_first(gate.speed)
    body = (*draw_table(HEADER, _quantity_rows(every), room.rest), "", escape_prose(say_effort(gate.speed)))
    yield Section(f"Latency and memory: {count_outcomes(every)}", body, folded=True)


def _quantity_rows(decisions: Sequence[QuantityDecision]) -> list[list[str]]:
    return [
        [
            code_span(each.quantity.id, 120),
            show_value(each.baseline, each.quantity.unit),
            show_value(each.candidate, each.quantity.unit),
            show_change(each.change),
            show_threshold(each),
            show_floor(each.control),
            str(each.blocks),
            each.outcome,
        ]
        for each in decisions
    ]


def unclear_section(gate: Gate, room: Room) -> Iterator[Section]:
    """Quantities of which nothing can be said: why, and what to do."""
    undecided = unclear(gate.speed)
    if gate.speed is None or not undecided:
        return
    rows = [
        [
            code_span(each.quantity.id, 120),
            escape_prose(say_why(each, gate.speed)),
            code_span(each.because, 200),
        ]
        for each in undecided
    ]
    body = draw_table(("quantity", "why", ""), rows, room.fresh)
    for remedy in find_remedies(gate, undecided):
        body += ("", f"{escape_prose(remedy.advice)}: {quote_command(remedy.command)}")
    yield Section(f"Undecided: {len(undecided)}", body)


def culprit_section(gate: Gate) -> Iterator[Section]:
    """The part of the upgrade to blame, what says so, and how to see it alone."""
    culprit = gate.culprit
    if culprit is None:
        return
    if not culprit.changes:
        yield Section("Who is to blame", (f"{escape_prose(culprit.sentence)}",))
        return
    lines = [f"**{say_culprit(culprit, span, '→')}**: {escape_prose(culprit.sentence)}", ""]
    lines += [f"- {each}" for each in say_evidence(culprit, span, "→")]
    command = culprit_command(gate)
    if command:
        lines += ["", f"Just this: {quote_command(command)}"]
    yield Section("Who is to blame", tuple(lines))
