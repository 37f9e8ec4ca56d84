"""The gate as text for a terminal or a log: details first, what decides in the last screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group as Parts
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report.console import Alphabet, print_to_text
from harness.report.escape import shorten
from harness.report.gate.acceptance import describe_accepted, list_accepted, list_ineffective
from harness.report.gate.headline import find_headline
from harness.report.gate.speed_view import (
    WORST_FIRST,
    describe_effort,
    find_remedies,
    group_why,
    show_floor,
    show_interval,
    show_value,
)
from harness.report.gate.view import (
    ACCEPT_KNOWN,
    LONGEST_COMMAND,
    UNCONFIRMED,
    count_cases,
    count_changes,
    culprit_command,
    culprits_of,
    describe_culprit,
    describe_further_changes,
    describe_judged,
    describe_origin,
    describe_unchanged,
    fresh_known,
    group_findings,
    group_known,
    list_repeats,
    name_candidate,
    name_note,
    rerun_command,
)
from harness.report.questions import describe_service, list_gate_questions, list_limits
from harness.report.terminal import VERDICT_STYLES

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.records import Finding, Gate, QuantityDecision, QuantityOutcome


# Latency and memory: a table for each outcome, the worst first

TITLES: dict[QuantityOutcome, str] = {
    "regressed": "Slower, or larger",
    "control-failed": "Undecided: the A/A arms differ",
    "unmeasured": "Not measured",
    "undecided": "Undecided",
    "passed": "Latency and memory within their thresholds",
}


def draw_speed(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    """Draw every quantity; nothing if latency was not judged."""
    speed = gate.speed
    if speed is None:
        return
    for outcome in WORST_FIRST:
        decisions = [each for each in speed.quantities if each.outcome == outcome]
        if decisions:
            yield Text()
            yield alphabet.text(f"{TITLES[outcome]}: {len(decisions)}", "bold")
            if any(each.baseline is not None for each in decisions):
                yield Padding(_table(decisions, alphabet), (0, 0, 0, 2))
            if outcome not in {"regressed", "passed"}:
                yield from _unclear(gate, decisions, alphabet)
    yield alphabet.indent(describe_effort(speed), style="dim")


def _table(decisions: Sequence[QuantityDecision], alphabet: Alphabet) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("quantity", overflow="fold")
    for name in ("baseline", "candidate", "ratio", "interval", "noise", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in decisions:
        values = (
            show_value(value, each.quantity.unit, unicode=alphabet.unicode)
            for value in (each.baseline, each.candidate)
        )
        ratio = "-" if each.change is None else f"{each.change.ratio:.3f}x"
        interval = show_interval(each.change).replace(" to ", "-")
        numbers = (*values, ratio, interval, show_floor(each.control), str(each.blocks))
        table.add_row(alphabet.text(shorten(each.quantity.id)), *numbers)
    return table


def _unclear(
    gate: Gate, decisions: Sequence[QuantityDecision], alphabet: Alphabet
) -> Iterator[RenderableType]:
    """Draw undecided quantities with reasons and remedies."""
    if gate.speed is None:
        return
    for (why, because), quantities in group_why(decisions, gate.speed).items():
        line = f"{why}: {shorten(because)}" if because else why
        yield alphabet.indent(f"{shorten(', '.join(quantities), 600)}: {line}")
    for remedy in find_remedies(gate, decisions):
        yield alphabet.indent(f"{remedy.advice}: {shorten(remedy.command, LONGEST_COMMAND)}", style="dim")


MOST_LINES = 12
"""Largest number of checks shown of one kind; the files have the rest."""


def render_gate_text(gate: Gate, *, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """Render a gate for a terminal ``width`` columns wide."""
    parts = Parts(*_parts(gate, Alphabet(unicode)))
    return print_to_text(parts, width=width, color=color, unicode=unicode)


def _parts(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    """Draw every part in order; the last one says what to decide from."""
    decision, question = gate.decision, gate.question
    yield alphabet.text(f"from {shorten(question.baseline)} to {shorten(name_candidate(gate))}", "dim")
    yield from _lock_diff(gate, alphabet)
    yield from _further_changes(gate, alphabet)
    yield from _acceptance(gate, alphabet)
    yield from _findings(alphabet, "Red before", decision.before)
    yield from _findings(alphabet, "No longer red", decision.gone)
    yield from _findings(alphabet, "No longer checked", decision.unchecked)
    if decision.limits:
        yield from heading(alphabet, "Limits, only for inputs far from the embeddings")
    for limit in list_limits(decision.limits):
        yield alphabet.indent(f"{shorten(limit.margin)} [{shorten(', '.join(limit.checks), 120)}]")
    if decision.notes:
        yield from heading(alphabet, f"Notes, which decide nothing: {len(decision.notes)}")
    for each in decision.notes[:MOST_LINES]:
        yield alphabet.indent(
            f"{shorten(name_note(each))}: {shorten(each.baseline, 200)} -> {shorten(each.candidate, 200)}"
        )
    if gate.decision.accepted:
        yield from _known(alphabet, "Accepted known divergences", decision.known)
    if question.left_out:
        yield from heading(alphabet, "Excluded packages: neither under test nor required by it")
        yield alphabet.indent(shorten(", ".join(sorted({each.name for each in question.left_out})), 600))
    yield from draw_speed(gate, alphabet)
    yield from _new(gate, alphabet)
    yield from _culprit(gate, alphabet)
    for note in question.notes:
        yield alphabet.indent(f"note: {shorten(note)}", 0)
    yield Text()
    yield from _again(gate, alphabet)
    yield Text()
    yield from _decision(gate, alphabet)


def _new(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    """Draw what only the candidate has."""
    decision = gate.decision
    yield from _findings(alphabet, "New in the candidate", decision.new, gate, advice=True)
    yield from _findings(alphabet, UNCONFIRMED, decision.unconfirmed, gate)
    if decision.unconfirmed:
        command = shorten(rerun_command(gate), LONGEST_COMMAND)
        yield alphabet.indent(f"without stored results: {command}", style="dim")
    yield from _known(alphabet, "Known divergences new in the candidate", fresh_known(gate))
    if fresh_known(gate):
        yield alphabet.indent(f"{ACCEPT_KNOWN} accepts these.")


def _decision(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    """Draw the last screen: merge or not, what is new, its cause, what to do, and the answers."""
    found, style = find_headline(gate), VERDICT_STYLES[gate.decision.verdict]
    yield from (alphabet.text(line, "bold yellow") for line in describe_accepted(gate))
    yield alphabet.text(f"{alphabet.sign(found.kind)} {found.statement}", style)
    for title, text in (("New", found.new), ("Cause", found.cause)):
        if text:
            yield alphabet.text(f"{title}: {shorten(text, 300)}.")
    for number, step in enumerate(found.steps):
        command = f": {shorten(step.command, LONGEST_COMMAND)}" if step.command else "."
        yield alphabet.text(f"{'Or' if number else 'To do'}: {step.text}{command}", "bold")
    yield alphabet.text(shorten(found.news, 300))
    yield alphabet.text(f"Under test: {shorten(describe_service(gate.question.service))}")
    yield alphabet.text(describe_judged(gate))
    yield from _questions(gate, alphabet)


def _questions(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    rows = list_gate_questions(gate)
    if not rows:
        return
    yield Text()
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("", "baseline", "candidate", "because"):
        table.add_column(name, overflow="fold")
    for each in rows:
        table.add_row(
            each.title,
            each.baseline,
            each.candidate,
            alphabet.text(shorten(each.because, 160), "dim"),
        )
    yield table


def heading(alphabet: Alphabet, text: str) -> Iterator[RenderableType]:
    """Draw an empty line and a title."""
    yield Text()
    yield alphabet.text(text, "bold")


def _lock_diff(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    if not gate.question.diff.changes:
        return
    yield from heading(alphabet, f"Changes of the upgrade: {count_changes(gate)}")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for _ in range(5):
        table.add_column(overflow="fold")
    for each in gate.question.diff.changes:
        fields = (each.name, each.before or "-", each.after or "-", describe_origin(each))
        table.add_row("", *(alphabet.text(shorten(field), "bold" if each.asked else "") for field in fields))
    yield table
    yield alphabet.indent(describe_unchanged(gate), style="dim")


def _further_changes(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    way = gate.question.further
    if way is None:
        return
    yield from heading(alphabet, "Upgrades that make it possible")
    for each in way.changes:
        line = f"{each.name}>={each.lowest} instead of {each.held} (newest that works: {each.newest})"
        yield alphabet.indent(shorten(line))
    yield alphabet.indent(describe_further_changes(way))


def _findings(
    alphabet: Alphabet,
    title: str,
    findings: Sequence[Finding],
    gate: Gate | None = None,
    *,
    advice: bool = False,
) -> Iterator[RenderableType]:
    """Draw findings by check; with the ``gate``, how often they were red."""
    if not findings:
        return
    yield from heading(alphabet, f"{title}: {len(findings)}")
    groups = group_findings(findings, gate.decision.confirmations if gate else ())
    for each in groups[:MOST_LINES]:
        name = each.cases[0] if len(each.cases) == 1 else f"{each.check} ({len(each.cases)} cases)"
        name += f" [{each.runs}]" if each.runs else ""
        message = f": {shorten(each.message)}" if each.message else ""
        yield alphabet.indent(f"{each.outcome} {shorten(name)}{message}")
        if advice and each.advice:
            yield alphabet.indent(f"Advice: {shorten(each.advice, 400)}", 4)
    if len(groups) > MOST_LINES:
        yield alphabet.indent(f"and {len(groups) - MOST_LINES} more checks, in gate.json", style="dim")


def _acceptance(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    """Draw what people accepted, and the lines that accept nothing."""
    for each in list_accepted(gate):
        yield from heading(alphabet, f"Accepted by {each.author}: {each.named}")
        for name, message in each.findings[:MOST_LINES]:
            yield alphabet.indent(f"{shorten(name)}: {shorten(message)}")
        if (left := len(each.findings) - MOST_LINES) > 0:
            yield alphabet.indent(f"and {left} more, in gate.json", style="dim")
    if lines := list_ineffective(gate):
        yield from heading(alphabet, f"Lines in the pull request that accept nothing: {len(lines)}")
        for line in lines[:MOST_LINES]:
            yield alphabet.indent(f"{line.line}: {line.why}")


def _known(alphabet: Alphabet, title: str, findings: Sequence[Finding]) -> Iterator[RenderableType]:
    """Draw each known divergence with its checks."""
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
    yield from heading(alphabet, "Cause")
    for each in culprits_of(gate):
        yield alphabet.indent(describe_culprit(each, shorten), style="bold red")
        if command := culprit_command(gate, each):
            yield alphabet.indent(f"this change only: {shorten(command, LONGEST_COMMAND)}", style="dim")
    yield alphabet.indent(shorten(culprit.sentence, 1200))


def _again(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    for title, command in list_repeats(gate):
        yield alphabet.text(f"{title.lower()}: {shorten(command, LONGEST_COMMAND)}", "dim")
