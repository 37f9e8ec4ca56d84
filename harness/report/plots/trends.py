"""Plots of latency over the runs of one class of machine, one for each scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.plots.draw import WIDTH, Spec, ink

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from harness.records import Trend, TrendKind
    from harness.report.history.view import ScenarioTrend


_KINDS: dict[TrendKind, tuple[str, str]] = {
    "stepped": ("steps", ink("series-2")),
    "crept": ("drifts", ink("series-1")),
}
"""Kind of trend -> label and colour of its line."""


def plot_trend(
    scenario: ScenarioTrend,
    numbers: Mapping[str, int],
    reference: int | None,
    *,
    width: int = WIDTH,
    height: int = 170,
) -> Spec:
    """Plot the cells as a band (quartiles) and a line (median), changed series as lines with marks.

    ``numbers`` maps runs to their numbers; ``reference`` is the number of the reference run, a dashed line.
    """
    rows = _rows(scenario, numbers, reference)
    x = {
        "field": "run",
        "type": "quantitative",
        "title": "session",
        "scale": {"domain": [1, max(2, len(numbers))], "nice": False, "padding": 4},
        "axis": {"grid": False, "format": "d", "tickCount": 4, "tickMinStep": 1},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "scale": {"type": "log", "nice": False, "padding": 6},
        "axis": {"labelExpr": "format(datum.value, '~g') + 'x'", "tickCount": 3, "grid": False},
    }
    kinds = {row["kind"] for row in rows if "kind" in row}
    return {"data": {"values": rows}, "width": width, "height": height, "layer": _layers(x, y, kinds)}


def _layers(x: Spec, y: Spec, kinds: Collection[str]) -> list[Spec]:
    labels, colours = zip(*_KINDS.values(), strict=True)
    legend = {"values": [label for label in labels if label in kinds]} if kinds else None
    scale = {"domain": labels, "range": colours}
    color = {"field": "kind", "type": "nominal", "scale": scale, "legend": legend}
    return [
        {
            "transform": [{"filter": "datum.part === 'level'"}],
            "mark": {"type": "area", "color": ink("band")},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "transform": [{"filter": "datum.part === 'reference'"}],
            "mark": {"type": "rule", "color": ink("soft"), "strokeDash": [3, 3]},
            "encoding": {"x": x},
        },
        {
            "transform": [{"filter": "datum.part === 'level'"}],
            "mark": {"type": "line", "color": ink("soft"), "strokeWidth": 1.5},
            "encoding": {"x": x, "y": y},
        },
        {
            "transform": [{"filter": "datum.part === 'series'"}],
            "mark": {"type": "line", "strokeWidth": 1.5},
            "encoding": {"x": x, "y": y, "color": color, "detail": {"field": "cell"}},
        },
        {
            "transform": [{"filter": "datum.part === 'change'"}],
            "mark": {
                "type": "point",
                "shape": "triangle-up",
                "filled": True,
                "size": 70,
                "opacity": 1,
                "aria": True,
            },
            "encoding": {"x": x, "y": y, "color": color, "description": {"field": "told"}},
        },
    ]


def _rows(scenario: ScenarioTrend, numbers: Mapping[str, int], reference: int | None) -> list[Spec]:
    levels: list[Spec] = [
        {
            "part": "level",
            "run": numbers[level.run],
            "value": round(level.median, 4),
            "low": round(level.low, 4),
            "high": round(level.high, 4),
        }
        for level in scenario.levels
    ]
    held = [{"part": "reference", "run": reference}] if reference is not None else []
    return [*levels, *held, *(row for trend in scenario.news for row in _series(trend, numbers))]


def _series(trend: Trend, numbers: Mapping[str, int]) -> list[Spec]:
    kind = _KINDS[trend.kind][0]
    values = {point.run: round(point.value, 4) for point in trend.points}
    named = {"kind": kind, "cell": trend.cell}
    lines = [
        {**named, "part": "series", "run": numbers[run], "value": value} for run, value in values.items()
    ]
    return lines + [
        {
            **named,
            "part": "change",
            "run": numbers[each.first],
            "value": values[each.first],
            "told": f"{trend.cell}: {each.ratio:.2f}x at {each.first}",
        }
        for each in trend.changes
    ]
