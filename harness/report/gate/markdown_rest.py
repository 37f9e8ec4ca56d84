"""What a reader of the comment can unfold: the lock diff, what was known, red or checked before, left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.report.escape import code_span
from harness.report.gate.culprit_view import say_search
from harness.report.gate.escape import escape_prose
from harness.report.gate.markdown_parts import Room, Section, draw_table, span
from harness.report.gate.view import (
    count_changes,
    group_findings,
    say_origin,
    say_unchanged,
    say_way_out,
)

if TYPE_CHECKING:
    from harness.gate_records import Culprit, Gate
    from harness.records import Finding


def way_out_section(gate: Gate, room: Room) -> Iterator[Section]:
    """What would give the candidate a solution."""
    way = gate.question.way_out
    if way is None:
        return
    rows = [
        [code_span(each.held), code_span(f"{each.name}>={each.lowest}"), code_span(each.newest)]
        for each in way.changes
    ]
    table = draw_table(("held", "needed", "newest that works"), rows, room.fresh)
    yield Section("What would make it possible", (*table, *([""] if table else []), say_way_out(way)))


def rest_sections(gate: Gate, room: Room) -> Iterator[Section]:
    """Everything that does not decide, folded."""
    decision = gate.decision
    yield from _lock_diff(gate, room)
    known = decision.known if gate.decision.accepted else ()
    yield from _findings("Known divergences that were accepted", known, room)
    yield from _findings("No longer checked", decision.unchecked, room)
    yield from _findings("Red before", decision.before, room)
    yield from _findings("No longer red", decision.gone, room)
    if gate.culprit is not None:
        yield from _trials(gate.culprit, room)
    yield from _left_out(gate, room)


def _lock_diff(gate: Gate, room: Room) -> Iterator[Section]:
    rows = [
        [
            code_span(each.name, 100),
            code_span(each.before, 100) or "-",
            code_span(each.after, 100) or "-",
            say_origin(each),
        ]
        for each in gate.question.diff.changes
    ]
    if rows:
        body = (*draw_table(("package", "from", "to", ""), rows, 4 * room.rest), "", say_unchanged(gate))
        yield Section(f"What the upgrade changes: {count_changes(gate)}", body, folded=True)


def _findings(title: str, findings: Sequence[Finding], room: Room) -> Iterator[Section]:
    if not findings:
        return
    rows = [
        [
            code_span(each.check, 120),
            str(len(each.cases)),
            each.outcome,
            " ".join(filter(None, [escape_prose(each.expectation, 300), code_span(each.message, 200)])),
        ]
        for each in group_findings(findings)
    ]
    table = draw_table(("check", "cases", "outcome", "why"), rows, room.rest)
    yield Section(f"{title}: {len(findings)}", table, folded=True)


def _trials(culprit: Culprit, room: Room) -> Iterator[Section]:
    """Every part of the upgrade, and every release, that was tried."""
    rows = [
        [code_span(", ".join(each.applied), 200), each.outcome, code_span(each.because, 200)]
        for each in culprit.trials
    ]
    rows += [
        [code_span(f"{search.name}=={each.version}", 200), each.outcome, code_span(each.because, 200)]
        for search in culprit.releases
        for each in search.tried
    ]
    if rows:
        said = tuple(line for each in say_search(culprit, span) for line in (each, ""))
        table = draw_table(("tried", "outcome", "because"), rows, room.rest)
        title = f"What was tried to find who is to blame: {len(rows)}"
        yield Section(title, (*said, *table), folded=True)


def _left_out(gate: Gate, room: Room) -> Iterator[Section]:
    question = gate.question
    rows = [
        [code_span(each.name, 100), code_span(each.file), escape_prose(each.reason)]
        for each in question.left_out
    ]
    if rows:
        table = draw_table(("package", "file", "because"), rows, room.rest)
        yield Section(f"Left out: {len(rows)}", table, folded=True)
    if question.notes:
        notes = tuple(f"- {span(note)}" for note in question.notes[: room.rest])
        more = len(question.notes) - len(notes)
        left = (f"- {more} more, in `gate.json`.",) if more else ()
        yield Section(f"Notes: {len(question.notes)}", (*notes, *left), folded=True)
