"""The gate for a terminal or a log: the verdict first and last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.report.escape import shorten
from harness.report.gate_view import NOT_JUDGED, gate_commands, say_origin, say_unchanged, say_way_out
from harness.report.terminal import Alphabet, print_to_text
from harness.report.text import VERDICT_STYLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from harness.gate_records import Gate
    from harness.records import Finding

MOST_LINES = 12
"""Findings of a kind that are told; the rest is in the files."""


def render_gate_text(gate: Gate, *, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """Render a gate for a terminal ``width`` columns wide."""
    parts = _parts(gate, Alphabet(unicode))
    return print_to_text(Group(*parts), width=width, color=color, unicode=unicode)


def _parts(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    decision, question = gate.decision, gate.question
    verdict, style = f"{decision.verdict.upper()}: {decision.sentence}", VERDICT_STYLES[decision.verdict]
    because = f": {shorten(decision.because, 600)}" if decision.because else ""
    yield alphabet.say(f"{verdict}{because}", style)
    yield alphabet.say(f"from {shorten(question.baseline)} to {shorten(question.candidate)}", "dim")
    if question.diff.changes:
        yield from _heading(alphabet, "What the upgrade changes")
        yield _diff(gate, alphabet)
        yield alphabet.indent(say_unchanged(gate), style="dim")
    if question.way_out is not None:
        yield from _heading(alphabet, "What would make it possible")
        for way in question.way_out.changes:
            line = f"{way.name}>={way.lowest} instead of {way.held} (newest that works: {way.newest})"
            yield alphabet.indent(shorten(line))
        yield alphabet.indent(say_way_out(question.way_out))
    yield from _findings(alphabet, "New in the candidate", decision.new, advice=True)
    yield from _findings(alphabet, "Known divergences that the baseline does not have", decision.known)
    yield from _findings(alphabet, "No longer checked", decision.unchecked)
    yield from _findings(alphabet, "Red before", decision.before)
    yield from _findings(alphabet, "No longer red", decision.gone)
    if question.left_out:
        yield from _heading(alphabet, "Left out: neither under test nor needed by what is")
        yield alphabet.indent(shorten(", ".join(sorted({each.name for each in question.left_out})), 600))
    for note in question.notes:
        yield alphabet.indent(f"note: {shorten(note)}", 0)
    yield Text()
    yield alphabet.say(f"again: {shorten(gate_commands(gate)[0], 600)}", "dim")
    yield alphabet.say(NOT_JUDGED)
    yield alphabet.say(verdict, style)


def _heading(alphabet: Alphabet, text: str) -> Iterator[RenderableType]:
    yield Text()
    yield alphabet.say(text, "bold")


def _diff(gate: Gate, alphabet: Alphabet) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for _ in range(5):
        table.add_column(overflow="fold")
    for each in gate.question.diff.changes:
        fields = (each.name, each.before or "-", each.after or "-", say_origin(each))
        table.add_row("", *(alphabet.say(shorten(field), "bold" if each.asked else "") for field in fields))
    return table


def _findings(
    alphabet: Alphabet, title: str, findings: Sequence[Finding], *, advice: bool = False
) -> Iterator[RenderableType]:
    if findings:
        yield from _heading(alphabet, f"{title}: {len(findings)}")
    for each in findings[:MOST_LINES]:
        message = f": {shorten(each.message)}" if each.message else ""
        yield alphabet.indent(f"{each.outcome} {shorten(each.check)}{message}")
        if advice and each.advice:
            yield alphabet.indent(f"Advice: {shorten(each.advice, 400)}", 4)
    if len(findings) > MOST_LINES:
        yield alphabet.indent(f"and {len(findings) - MOST_LINES} more, in gate.json", style="dim")
