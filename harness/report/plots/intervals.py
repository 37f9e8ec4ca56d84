"""The plot of a gate's quantities: change, interval, noise and limit of each on one scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.escape import shorten
from harness.report.gate.speed_view import show_limit, show_noise, show_percent_interval, show_percents
from harness.report.plots.rows import Bar, Key, Mark, Panel, Row, RowPlot, Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import QuantityDecision, QuantityOutcome

NARROWEST = 0.5
"""Ratios below it, and above its inverse, are drawn at the edge of the plot."""

_TICKS = (
    (1.3, (-20, -15, -10, -5, 0, 5, 10, 15, 20)),
    (1.8, (-40, -30, -20, -10, 0, 10, 20, 30, 40, 50)),
    (math.inf, (-50, -25, 0, 25, 50, 75, 100)),
)
"""Up to this ratio of the ends of the axis, the ticks in percent."""

MARKS: dict[QuantityOutcome, Key] = {
    "passed": ("circle", "series-3", "within the limit"),
    "regressed": ("up", "red-ink", "above the limit"),
    "undecided": ("diamond", "series-4", "undecided"),
    "control-failed": ("square", "soft", "too noisy"),
    "unmeasured": ("cross", "soft", "not measured"),
}
"""Outcome -> its shape, colour and words."""


def plot_intervals(decisions: Sequence[QuantityDecision], *, key: str) -> RowPlot:
    """Plot a row for each measured quantity: noise band, interval, ratio, and the limit as a stroke."""
    measured = [each for each in decisions if each.change is not None]
    outcomes = {each.outcome for each in measured}
    rows = tuple(map(_row, measured))
    return RowPlot(
        title="Change of each quantity against the baseline, with its interval, noise and limit",
        key=key,
        scale=_scale(
            [end for row in rows for bar in row.bars for end in (bar.low, bar.high)]
            + [mark.at for row in rows for mark in row.marks]
        ),
        panels=(Panel("", rows),),
        legend=(
            *(mark for outcome, mark in MARKS.items() if outcome in outcomes),
            ("limit", "red-ink", "limit"),
            ("band", "band", "noise"),
        ),
    )


def count_clamped(decisions: Sequence[QuantityDecision]) -> int:
    """Count the quantities of which the ratio or an end of the interval is drawn at the edge."""
    changes = [each.change for each in decisions if each.change is not None]
    return sum(each.low < NARROWEST or not each.high <= 1 / NARROWEST for each in changes)


def _row(decision: QuantityDecision) -> Row:
    change, control, limit = decision.change, decision.control, decision.quantity.threshold
    assert change is not None  # noqa: S101 - the caller leaves the others out
    shape, ink, words = MARKS[decision.outcome]
    name = shorten(decision.quantity.id, 60)
    told = (
        f"{name}: {show_percents(change.ratio)}, interval {show_percent_interval(change)}, "
        f"limit {show_limit(decision)}, noise {show_noise(control)}, {words}"
    )
    band = (Bar(_clamp(control.low), _clamp(control.high), "band", "band"),) if control else ()
    interval = Bar(_clamp(change.low), _clamp(change.high), "thin", ink)
    marks = (Mark(_clamp(limit), "limit", "red-ink"), Mark(_clamp(change.ratio), shape, ink))
    return Row(name, told, (*band, interval), marks)


def _clamp(ratio: float) -> float:
    return min(max(ratio, NARROWEST), 1 / NARROWEST) if math.isfinite(ratio) else 1 / NARROWEST


def _scale(values: Sequence[float]) -> Scale:
    low, high = min([0.95, *values]) * 0.99, max([1.1, *values]) * 1.01
    every = next(ticks for most, ticks in _TICKS if high / low <= most)
    ticks = [
        (1 + each / 100, f"{each:+} %".replace("-", "\N{MINUS SIGN}") if each else "0 %") for each in every
    ]
    return Scale(low, high, tuple(tick for tick in ticks if low <= tick[0] <= high))
