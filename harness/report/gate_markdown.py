"""The gate's comment for a pull request: the verdict in its first line, a hidden marker in its last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.report.escape import code_span, disarm_commands, escape_markdown
from harness.report.gate_view import NOT_JUDGED, gate_commands, say_origin, say_unchanged, say_way_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.gate_records import Gate, Question
    from harness.records import Finding

MOST_ROWS = 25
"""Rows of a table of findings: GitHub takes no comment of more than 65,536 characters."""

MOST_CHANGES = 100
"""Rows of the lock diff."""


def render_gate_markdown(gate: Gate) -> str:
    """Render a gate as GitHub-flavoured Markdown; what packages and files wrote stands in code spans."""
    decision, question = gate.decision, gate.question
    because = f": {code_span(decision.because, 400, table=False)}" if decision.because else ""
    lines = [
        f"**{decision.verdict.upper()}**: {escape_markdown(decision.sentence, 600)}{because}",
        "",
        f"{_origin(question)} Matrix {_span(gate.matrix)}, run {_span(gate.run)}. {NOT_JUDGED}",
        *_way_out(gate),
        *_findings("New in the candidate", decision.new, lambda each: _just_this(gate, each)),
        *_lock_diff(gate),
        *_findings("Known divergences that the baseline does not have", decision.known, _expected),
        *_findings("No longer checked", decision.unchecked, None),
        *_findings("Red before", decision.before, None),
        *_findings("No longer red", decision.gone, None),
        *_left_out(gate),
        *_again(gate),
        "",
        marker(gate.matrix),
    ]
    return disarm_commands("\n".join(lines) + "\n")


def _origin(question: Question) -> str:
    return f"From {_span(question.baseline)} to {_span(question.candidate)}."


def _span(text: str) -> str:
    return code_span(text, table=False)


def marker(matrix: str) -> str:
    """What tells a bot which comment to update: one for each matrix."""
    return f"<!-- harness-gate:{re.sub(r'[^a-z0-9_.]+', '-', matrix.lower())} -->"


def _table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], most: int = MOST_ROWS
) -> Iterator[str]:
    if not rows:
        return
    yield from ("", f"### {title}", "")
    yield from (_row(header), _row(["---"] * len(header)), *map(_row, rows[:most]))
    if len(rows) > most:
        yield from ("", f"And {len(rows) - most} more, in `gate.json`.")


def _row(fields: Sequence[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _lock_diff(gate: Gate) -> Iterator[str]:
    rows = [
        [
            code_span(each.name, 100),
            code_span(each.before, 100) or "-",
            code_span(each.after, 100) or "-",
            say_origin(each),
        ]
        for each in gate.question.diff.changes
    ]
    yield from _table("What the upgrade changes", ["package", "from", "to", ""], rows, MOST_CHANGES)
    if rows:
        yield from ("", say_unchanged(gate))


def _way_out(gate: Gate) -> Iterator[str]:
    way = gate.question.way_out
    if way is None:
        return
    rows = [
        [code_span(each.held), code_span(f"{each.name}>={each.lowest}"), code_span(each.newest)]
        for each in way.changes
    ]
    yield from _table("What would make it possible", ["held", "needed", "newest that works"], rows)
    yield from ("", say_way_out(way))


def _findings(
    title: str, findings: Sequence[Finding], last: Callable[[Finding], str] | None
) -> Iterator[str]:
    rows = [
        [
            code_span(each.check, 120),
            each.outcome,
            code_span(each.message, 200),
            *([last(each)] if last is not None else []),
        ]
        for each in findings
    ]
    header = ["check", "outcome", "why", *([""] if last is not None else [])]
    yield from _table(title, header, rows)


def _just_this(gate: Gate, finding: Finding) -> str:
    """The advice, and the command that runs this check alone."""
    command = code_span(gate_commands(gate, "--checks", finding.check)[0])
    return f"{escape_markdown(finding.advice)} {command}".strip()


def _expected(finding: Finding) -> str:
    return escape_markdown(finding.expectation)


def _left_out(gate: Gate) -> Iterator[str]:
    rows = [
        [code_span(each.name, 100), code_span(each.file), escape_markdown(each.reason)]
        for each in gate.question.left_out
    ]
    yield from _table("Left out", ["package", "file", "because"], rows)
    if gate.question.notes:
        yield ""
        yield from (f"- {code_span(note, table=False)}" for note in gate.question.notes[:MOST_ROWS])


def _again(gate: Gate) -> Iterator[str]:
    checkout, installed = (code_span(each, 1000, table=False) for each in gate_commands(gate))
    yield from ("", "### Run it yourself", "", f"In a checkout: {checkout}", "", f"Installed: {installed}")
