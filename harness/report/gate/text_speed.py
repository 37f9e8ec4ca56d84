"""Latency and memory of a gate for a terminal of 80 columns: a table for each outcome, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report.escape import shorten
from harness.report.gate.speed_view import (
    WORST_FIRST,
    find_remedies,
    group_why,
    say_effort,
    show_floor,
    show_interval,
    show_value,
)
from harness.report.gate.view import LONGEST_COMMAND

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.gate_records import Gate, QuantityDecision, QuantityOutcome
    from harness.report.terminal import Alphabet

TITLES: dict[QuantityOutcome, str] = {
    "regressed": "Slower, or larger",
    "control-failed": "Undecided: the baseline differs from itself",
    "unmeasured": "Not measured",
    "undecided": "Undecided",
    "passed": "Latency and memory within their thresholds",
}


def draw_speed(gate: Gate, alphabet: Alphabet) -> Iterator[RenderableType]:
    """Every quantity; nothing where latency was not judged."""
    speed = gate.speed
    if speed is None:
        return
    for outcome in WORST_FIRST:
        decisions = [each for each in speed.quantities if each.outcome == outcome]
        if decisions:
            yield Text()
            yield alphabet.say(f"{TITLES[outcome]}: {len(decisions)}", "bold")
            if any(each.baseline is not None for each in decisions):
                yield Padding(_table(decisions, alphabet), (0, 0, 0, 2))
            if outcome not in {"regressed", "passed"}:
                yield from _unclear(gate, decisions, alphabet)
    yield alphabet.indent(say_effort(speed), style="dim")


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
        table.add_row(alphabet.say(shorten(each.quantity.id)), *numbers)
    return table


def _unclear(
    gate: Gate, decisions: Sequence[QuantityDecision], alphabet: Alphabet
) -> Iterator[RenderableType]:
    """Why nothing can be said of each, and what to do."""
    if gate.speed is None:
        return
    for (why, because), quantities in group_why(decisions, gate.speed).items():
        told = f"{why}: {shorten(because)}" if because else why
        yield alphabet.indent(f"{shorten(', '.join(quantities), 600)}: {told}")
    for remedy in find_remedies(gate, decisions):
        yield alphabet.indent(f"{remedy.advice}: {shorten(remedy.command, LONGEST_COMMAND)}", style="dim")
