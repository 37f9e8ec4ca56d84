"""The gate for a terminal or a log: the verdict first and last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group as Parts
from rich.table import Table
from rich.text import Text

from harness.report.escape import shorten
from harness.report.gate.culprit_view import culprit_command, culprits_of, say_culprit
from harness.report.gate.text_speed import draw_speed
from harness.report.gate.view import (
    ACCEPT_KNOWN,
    LONGEST_COMMAND,
    MOST_CHECKS,
    checks_command,
    count_cases,
    count_changes,
    fresh_findings,
    fresh_known,
    gate_command,
    group_findings,
    group_known,
    name_red,
    say_judged,
    say_origin,
    say_unchanged,
    say_way_out,
)
from harness.report.terminal import Alphabet, print_to_text
from harness.report.text import VERDICT_STYLES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.gate_records import Gate
    from harness.records import Finding

MOST_LINES = 12
"""Checks of a kind that are told; the rest is in the files."""


def render_gate_text(gate: Gate, *, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """Render a gate for a terminal ``width`` columns wide."""
    parts = Parts(*_parts(gate, Alphabet(unicode)))
    return print_to_text(parts, width=width, color=color, unicode=unicode)


def _parts(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    decision, question = gate.decision, gate.question
    verdict, style = f"{decision.verdict.upper()}: {decision.sentence}", VERDICT_STYLES[decision.verdict]
    because = f": {shorten(decision.because, 600)}" if decision.because else ""
    yield alphabet.say(f"{verdict}{because}", style)
    yield alphabet.say(f"from {shorten(question.baseline)} to {shorten(question.candidate)}", "dim")
    yield from _lock_diff(gate, alphabet)
    yield from _way_out(gate, alphabet)
    yield from _findings(alphabet, "New in the candidate", decision.new, advice=True)
    yield from _known(alphabet, "Known, and new in the candidate", fresh_known(gate))
    if fresh_known(gate):
        yield alphabet.indent(f"{ACCEPT_KNOWN} lets these pass.")
    yield from draw_speed(gate, alphabet)
    yield from _culprit(gate, alphabet)
    if gate.decision.accepted:
        yield from _known(alphabet, "Known divergences that were accepted", decision.known)
    yield from _findings(alphabet, "No longer checked", decision.unchecked)
    yield from _findings(alphabet, "Red before", decision.before)
    yield from _findings(alphabet, "No longer red", decision.gone)
    if question.left_out:
        yield from heading(alphabet, "Left out: neither under test nor needed by what is")
        yield alphabet.indent(shorten(", ".join(sorted({each.name for each in question.left_out})), 600))
    for note in question.notes:
        yield alphabet.indent(f"note: {shorten(note)}", 0)
    yield Text()
    yield from _again(gate, alphabet)
    yield alphabet.say(say_judged(gate))
    yield alphabet.say(verdict, style)


def heading(alphabet: Alphabet, text: str) -> Iterator[RenderableType]:
    """An empty line and a title."""
    yield Text()
    yield alphabet.say(text, "bold")


def _lock_diff(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    if not gate.question.diff.changes:
        return
    yield from heading(alphabet, f"What the upgrade changes: {count_changes(gate)}")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for _ in range(5):
        table.add_column(overflow="fold")
    for each in gate.question.diff.changes:
        fields = (each.name, each.before or "-", each.after or "-", say_origin(each))
        table.add_row("", *(alphabet.say(shorten(field), "bold" if each.asked else "") for field in fields))
    yield table
    yield alphabet.indent(say_unchanged(gate), style="dim")


def _way_out(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    way = gate.question.way_out
    if way is None:
        return
    yield from heading(alphabet, "What would make it possible")
    for each in way.changes:
        line = f"{each.name}>={each.lowest} instead of {each.held} (newest that works: {each.newest})"
        yield alphabet.indent(shorten(line))
    yield alphabet.indent(say_way_out(way))


def _findings(
    alphabet: Alphabet, title: str, findings: Sequence[Finding], *, advice: bool = False
) -> Iterator[RenderableType]:
    if not findings:
        return
    yield from heading(alphabet, f"{title}: {len(findings)}")
    groups = group_findings(findings)
    for each in groups[:MOST_LINES]:
        name = each.cases[0] if len(each.cases) == 1 else f"{each.check} ({len(each.cases)} cases)"
        message = f": {shorten(each.message)}" if each.message else ""
        yield alphabet.indent(f"{each.outcome} {shorten(name)}{message}")
        if advice and each.advice:
            yield alphabet.indent(f"Advice: {shorten(each.advice, 400)}", 4)
    if len(groups) > MOST_LINES:
        yield alphabet.indent(f"and {len(groups) - MOST_LINES} more checks, in gate.json", style="dim")


def _known(alphabet: Alphabet, title: str, findings: Sequence[Finding]) -> Iterator[RenderableType]:
    """Each known divergence with the checks that it covers."""
    if not findings:
        return
    yield from heading(alphabet, f"{title}: {len(findings)}")
    for each in group_known(findings):
        yield alphabet.indent(shorten(each.reason, 400))
        yield alphabet.indent(f"{count_cases(each.cases)} of {shorten(', '.join(each.checks))}", 4, "dim")


def _culprit(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    culprit = gate.culprit
    if culprit is None:
        return
    yield from heading(alphabet, "Who is to blame")
    for each in culprits_of(gate):
        yield alphabet.indent(say_culprit(each, shorten), style="bold red")
        if command := culprit_command(gate, each):
            yield alphabet.indent(f"just this: {shorten(command, LONGEST_COMMAND)}", style="dim")
    yield alphabet.indent(shorten(culprit.sentence, 1200))


def _again(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    yield alphabet.say(f"again: {shorten(gate_command(gate), LONGEST_COMMAND)}", "dim")
    groups = group_findings(fresh_findings(gate))
    if groups:
        command = checks_command(gate, [each.glob for each in groups[:MOST_CHECKS]])
        yield alphabet.say(f"{name_red(groups).lower()}: {shorten(command, LONGEST_COMMAND)}", "dim")
