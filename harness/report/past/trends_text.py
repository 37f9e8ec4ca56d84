"""Trends for a terminal: what is not where it was at the reference, and where it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from harness.report.escape import shorten
from harness.report.past.trends_view import WORDS, choose_trends, say_kinds
from harness.report.terminal import Alphabet, print_to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from harness.history_records import Trend, Trends

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 40


def render_trends_text(
    trends: Trends, *, everything: bool = False, width: int = 80, color: bool = False, unicode: bool = True
) -> str:
    """Render trends; without ``everything`` only those of which it can be said that and how they changed."""
    lines = Group(*_draw(trends, Alphabet(unicode), everything=everything))
    return print_to_text(lines, width=width, color=color, unicode=unicode)


def _draw(trends: Trends, alphabet: Alphabet, *, everything: bool) -> Iterator[RenderableType]:
    series = f"{len(trends.trends)} series: {say_kinds(trends)}"
    yield alphabet.say(f"{trends.matrix}: {trends.runs} runs of one machine class, {series}", "bold")
    kind = "pinned run" if trends.pinned else "first run"
    yield alphabet.say(f"held against {trends.reference} ({kind})", "dim")
    yield from (alphabet.say(f"note: {note}", "yellow") for note in trends.notes)
    shown = choose_trends(trends, everything=everything)
    for each in shown:
        yield Text()
        yield from _draw_trend(each, alphabet)
    if not shown and trends.trends:
        yield alphabet.say("nothing is known to have changed")


def _draw_trend(trend: Trend, alphabet: Alphabet) -> Iterator[RenderableType]:
    style = "bold red" if trend.kind != "steady" and (trend.since or 1.0) > 1 else ""
    name = f"{shorten(trend.scenario)} in {shorten(trend.cell)}"
    if trend.since is None or trend.beyond is None:
        yield alphabet.say(f"{name}: {WORDS[trend.kind]}", style)
    else:
        how = f"{WORDS[trend.kind]} (noise {trend.beyond:.2f}x)"
        yield alphabet.say(f"{name}: {trend.since:.2f}x since the reference, {how}", style)
    values = [point.value for point in trend.points]
    newest = f"{min(values):.3f} to {max(values):.3f}, now {values[-1]:.3f}, {len(values)} runs"
    bars = f"{_draw_bars(values)} " if alphabet.unicode else ""
    yield alphabet.indent(f"{bars}{newest}")
    if trend.kind == "crept" and trend.a_run is not None:
        yield alphabet.indent(
            f"{trend.a_run.ratio:.4f}x a run ({trend.a_run.low:.4f} to {trend.a_run.high:.4f})"
        )
    for change in trend.changes:
        yield alphabet.indent(
            f"{change.ratio:.2f}x at {change.first}: `harness compare {change.last} {change.first}` says why"
        )


def _draw_bars(values: list[float]) -> str:
    """The newest values as bars, the lowest to the highest."""
    shown = values[-_WIDTH:]
    low, high = min(shown), max(shown)
    spread = (high - low) or 1.0
    return "".join(_BARS[1 + round((value - low) / spread * (len(_BARS) - 2))] for value in shown)
