"""Comparison, list of runs and trends as text for a terminal."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.report.console import Alphabet, print_to_text
from harness.report.escape import shorten
from harness.report.history.view import (
    TITLES,
    TREND_TEXTS,
    choose_trends,
    describe_cells,
    describe_compared,
    describe_comparison,
    describe_kinds,
    describe_run,
    group_differences,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from harness.records import Comparison, PastRun, Trend, Trends
    from harness.report.history.view import DifferenceGroup


# Comparison

_NAMED_BY_CHANGE = {
    "lock-changed",
    "surroundings-changed",
    "cell-appeared",
    "cell-vanished",
    "status-changed",
    "verdict-changed",
}


def render_comparison_text(
    comparison: Comparison, *, width: int = 80, color: bool = False, unicode: bool = True
) -> str:
    """Render a comparison: the summary first and last, every changed check in between.

    Args:
        comparison: the differences of two runs.
        width: columns of the terminal.
        color: whether to use escape sequences for colours.
        unicode: whether the encoding supports more than ASCII.
    """
    lines = Group(*_draw(comparison, Alphabet(unicode)))
    return print_to_text(lines, width=width, color=color, unicode=unicode)


def _draw(comparison: Comparison, alphabet: Alphabet) -> Iterator[RenderableType]:
    sentence = alphabet.text(
        f"{'WORSE: ' if comparison.worse else ''}{describe_comparison(comparison)}",
        "bold red" if comparison.worse else "bold green",
    )
    yield sentence
    yield alphabet.text(f"before: {describe_run(comparison.before)}", "dim")
    yield alphabet.text(f"after:  {describe_run(comparison.after)}", "dim")
    yield alphabet.text(describe_compared(comparison), "dim")
    yield from (alphabet.text(f"note: {shorten(note, 600)}", "yellow") for note in comparison.notes)
    grouped = group_differences(comparison)
    for kind, groups in grouped.items():
        yield Text()
        yield alphabet.text(TITLES[kind], "bold")
        for causes, several in itertools.groupby(groups, key=lambda group: group.example.causes):
            for group in several:
                yield from draw_group(group, comparison.cells, alphabet)
            if causes:
                yield alphabet.indent(f"likely cause: {shorten('; '.join(causes), 600)}", 4, "italic")
    if grouped:
        yield Text()
        yield sentence


def draw_group(group: DifferenceGroup, total: int, alphabet: Alphabet) -> Iterator[RenderableType]:
    """Draw a group of differences in one or two lines; ``total`` is the number of compared cells."""
    sign = alphabet.sign("red") if group.worse else "-"
    where = describe_cells(group, total)
    if group.kind in _NAMED_BY_CHANGE:
        yield alphabet.indent(f"{sign} {shorten(group.name)}: {shorten(where)}")
    else:
        each = group.example
        count = f"{group.cases} in " if group.cases > 1 else ""
        factor = f" ({each.ratio:.2f}x" if each.ratio is not None else ""
        noise = f", noise {each.beyond:.2f}x" if each.beyond is not None else ""
        tail = f"{factor}{noise})" if factor else ""
        name = shorten(each.what)
        yield alphabet.indent(f"{sign} {shorten(group.name)}: {count}{shorten(where)}")
        yield alphabet.indent(f"{name}: {shorten(each.before)} -> {shorten(each.after)}{tail}", 4)


# List of runs

_STYLES = {"pass": "green", "regressed": "bold red", "failing": "bold red", "error": "bold red"}


def render_history_text(
    runs: Sequence[PastRun], *, width: int = 80, color: bool = False, unicode: bool = True
) -> str:
    """Render past runs, one per row, in the given order; ``*`` marks a pinned run."""
    alphabet = Alphabet(unicode)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("run", overflow="fold", no_wrap=False)
    table.add_column("when (UTC)", min_width=10)
    for name in ("matrix", "verdict"):
        table.add_column(name, overflow="fold")
    table.add_column("cells", justify="right")
    table.add_column("red", overflow="fold")
    for run in runs:
        table.add_row(
            alphabet.text(f"{'* ' if run.pinned else ''}{shorten(run.run)}"),
            alphabet.text(run.created[:16].replace("T", " ")),
            alphabet.text(shorten(run.matrix)),
            alphabet.text(run.verdict, _STYLES.get(run.verdict, "yellow")),
            alphabet.text(str(run.cells)),
            alphabet.text(_describe_red(run)),
        )
    return print_to_text(table, width=width, color=color, unicode=unicode)


def _describe_red(run: PastRun) -> str:
    if not run.red_cells:
        return "-"
    kinds = ", ".join(f"{outcome} {count}" for outcome, count in run.red.items())
    return f"{run.red_cells}: {kinds}" if kinds else str(run.red_cells)


_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 40


def render_trends_text(
    trends: Trends, *, everything: bool = False, width: int = 80, color: bool = False, unicode: bool = True
) -> str:
    """Render trends; without ``everything`` only series with a known change."""
    lines = Group(*_draw_trends(trends, Alphabet(unicode), everything=everything))
    return print_to_text(lines, width=width, color=color, unicode=unicode)


def _draw_trends(trends: Trends, alphabet: Alphabet, *, everything: bool) -> Iterator[RenderableType]:
    series = f"{len(trends.trends)} series: {describe_kinds(trends)}"
    yield alphabet.text(f"{trends.matrix}: {trends.runs} runs of one machine class, {series}", "bold")
    kind = "pinned run" if trends.pinned else "first run"
    yield alphabet.text(f"compared with {trends.reference} ({kind})", "dim")
    yield from (alphabet.text(f"note: {note}", "yellow") for note in trends.notes)
    shown = choose_trends(trends, everything=everything)
    for each in shown:
        yield Text()
        yield from _draw_trend(each, alphabet)
    if not shown and trends.trends:
        yield alphabet.text("no series is known to have changed")


def _draw_trend(trend: Trend, alphabet: Alphabet) -> Iterator[RenderableType]:
    style = "bold red" if trend.kind != "steady" and (trend.since or 1.0) > 1 else ""
    name = f"{shorten(trend.scenario)} in {shorten(trend.cell)}"
    if trend.since is None or trend.beyond is None:
        yield alphabet.text(f"{name}: {TREND_TEXTS[trend.kind]}", style)
    else:
        how = f"{TREND_TEXTS[trend.kind]} (noise {trend.beyond:.2f}x)"
        yield alphabet.text(f"{name}: {trend.since:.2f}x since the reference, {how}", style)
    values = [point.value for point in trend.points]
    newest = f"{min(values):.3f} to {max(values):.3f}, now {values[-1]:.3f}, {len(values)} runs"
    bars = f"{_draw_bars(values)} " if alphabet.unicode else ""
    yield alphabet.indent(f"{bars}{newest}")
    if trend.kind == "crept" and trend.a_run is not None:
        yield alphabet.indent(
            f"{trend.a_run.ratio:.4f}x per run ({trend.a_run.low:.4f} to {trend.a_run.high:.4f})"
        )
    for change in trend.changes:
        yield alphabet.indent(
            f"{change.ratio:.2f}x at {change.first}: `harness compare {change.last} {change.first}` shows why"
        )


def _draw_bars(values: list[float]) -> str:
    """Draw the newest values as bars, scaled from the lowest to the highest."""
    shown = values[-_WIDTH:]
    low, high = min(shown), max(shown)
    spread = (high - low) or 1.0
    return "".join(_BARS[1 + round((value - low) / spread * (len(_BARS) - 2))] for value in shown)
