"""The plot of a gate's quantities: change, interval, noise and limit of each on one scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.escape import shorten
from harness.report.plots.draw import Spec, ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import QuantityDecision, QuantityOutcome

TEXT = 13
"""Size of all text, in pixels."""

NARROWEST = 0.5
"""Ratios below it, and above its inverse, are drawn at the edge of the plot."""

_TICKS = (
    (1.3, (-20, -15, -10, -5, 0, 5, 10, 15, 20)),
    (1.8, (-40, -30, -20, -10, 0, 10, 20, 30, 40, 50)),
    (math.inf, (-50, -25, 0, 25, 50, 75, 100)),
)
"""Up to this ratio of the ends of the axis, the ticks in percent."""

MARKS: dict[QuantityOutcome, tuple[str, str, str]] = {
    "passed": ("within the limit", "circle", "series-3"),
    "regressed": ("above the limit", "triangle-up", "red-ink"),
    "undecided": ("undecided", "diamond", "series-4"),
    "control-failed": ("too noisy", "square", "soft"),
    "unmeasured": ("not measured", "cross", "soft"),
}
"""Outcome -> its words, shape and colour."""


def plot_intervals(decisions: Sequence[QuantityDecision], *, narrow: bool = False) -> Spec:
    """Plot a row for each measured quantity: noise band, interval, ratio, and the limit as a line.

    Names stand left of the rows; in a ``narrow`` plot, which fits on a phone, above them.
    """
    rows = [_view(each) for each in decisions if each.change is not None]
    x = _axis([row[key] for row in rows for key in ("low", "high", "limit", "under", "over") if key in row])
    names, kinds = [row["quantity"] for row in rows], _describe_kinds(rows, columns=2 if narrow else 4)
    labels = {"labelOverlap": False, "labelFontSize": TEXT, "domain": False, "ticks": False}
    place = {"field": "quantity", "type": "nominal", "title": None, "sort": names}
    y = {**place, "axis": None if narrow else labels}
    down = {"yOffset": 9} if narrow else {}
    above = {
        "mark": {"type": "text", "align": "left", "dy": -12, "fontSize": TEXT},
        "encoding": {"y": y, "x": {"value": 2}, "text": {"field": "quantity"}},
    }
    return {
        "width": 338 if narrow else 640,
        "height": {"step": 46 if narrow else 26},
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "color": ink("band"), "height": 20, **down},
                "encoding": {"y": y, "x": {**x, "field": "under"}, "x2": {"field": "over"}},
            },
            {"mark": {"type": "rule", "color": ink("soft")}, "encoding": {"x": {"datum": 1}}},
            {
                "mark": {"type": "tick", "color": ink("red-ink"), "thickness": 2, "size": 22, **down},
                "encoding": {"y": y, "x": {**x, "field": "limit"}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2.5, **down},
                "encoding": {
                    "y": y,
                    "x": {**x, "field": "low"},
                    "x2": {"field": "high"},
                    "color": kinds["color"],
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, **down},
                "encoding": {"y": y, "x": {**x, "field": "ratio"}, **kinds},
            },
            *([above] if narrow else []),
        ],
    }


def count_clamped(decisions: Sequence[QuantityDecision]) -> int:
    """Count the quantities of which the ratio or an end of the interval is drawn at the edge."""
    changes = [each.change for each in decisions if each.change is not None]
    return sum(each.low < NARROWEST or not each.high <= 1 / NARROWEST for each in changes)


def _view(decision: QuantityDecision) -> Spec:
    change, control = decision.change, decision.control
    assert change is not None  # noqa: S101 - the caller leaves the others out
    band = {"under": _clamp(control.low), "over": _clamp(control.high)} if control else {}
    return {
        "quantity": shorten(decision.quantity.id, 60),
        "ratio": _clamp(change.ratio),
        "low": _clamp(change.low),
        "high": _clamp(change.high),
        "limit": _clamp(decision.quantity.threshold),
        **band,
        "kind": MARKS[decision.outcome][0],
    }


def _clamp(ratio: float) -> float:
    return min(max(ratio, NARROWEST), 1 / NARROWEST) if math.isfinite(ratio) else 1 / NARROWEST


def _describe_kinds(rows: Sequence[Spec], columns: int) -> Spec:
    """The colour and shape of each outcome that is there."""
    there = {each["kind"] for each in rows}
    words, shapes, colours = zip(*(each for each in MARKS.values() if each[0] in there), strict=True)
    legend = {"labelFontSize": TEXT, "symbolSize": 80, "columns": columns}
    kind = {"field": "kind", "type": "nominal", "legend": legend}
    return {
        "color": {**kind, "scale": {"domain": words, "range": [ink(each) for each in colours]}},
        "shape": {**kind, "scale": {"domain": words, "range": shapes}},
    }


def _axis(values: Sequence[float]) -> Spec:
    low, high = min([0.95, *values]) * 0.99, max([1.1, *values]) * 1.01
    every = next(ticks for most, ticks in _TICKS if high / low <= most)
    ticks = [1 + each / 100 for each in every if low <= 1 + each / 100 <= high]
    return {
        "type": "quantitative",
        "title": "change against the baseline",
        "scale": {"type": "log", "domain": [low, high], "nice": False, "clamp": True},
        "axis": {
            "values": ticks,
            "labelExpr": "format(round(100 * (datum.value - 1)), datum.value == 1 ? '' : '+') + ' %'",
            "labelFontSize": TEXT,
            "titleFontSize": TEXT,
            "grid": True,
        },
    }
