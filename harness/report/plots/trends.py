"""Plots of latency over the runs of one class of machine, one for each scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.plots.draw import Spec, ink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import Trend, TrendKind
    from harness.report.history.view import ScenarioTrend


_KINDS: dict[TrendKind, tuple[str, str]] = {
    "stepped": ("steps", ink("series-2")),
    "crept": ("drifts", ink("series-1")),
}
"""Kind of trend -> label and colour of its line."""

_COLUMNS, _WIDTH, _HEIGHT = 4, 215, 84
"""Width of one scenario in pixels, and the number of scenarios in a row of the page."""


def plot_trends(
    scenarios: Sequence[ScenarioTrend],
    numbers: Mapping[str, int],
    reference: int | None,
) -> Spec:
    """Plot the cells as a band (quartiles) and a line (median), changed series as lines with marks.

    ``numbers`` maps runs to their numbers; ``reference`` is the number of the reference run, a dashed line.
    Each scenario has its own scale.
    """
    rows = [row for each in scenarios for row in _rows(each, numbers, reference)]
    x = {
        "field": "run",
        "type": "quantitative",
        "title": None,
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
    return {
        "data": {"values": rows},
        "facet": {
            "field": "scenario",
            "type": "nominal",
            "title": None,
            "sort": [each.scenario for each in scenarios],
        },
        "columns": _COLUMNS,
        "spacing": {"row": 14, "column": 14},
        "resolve": {"scale": {"y": "independent"}, "axis": {"x": "independent"}},
        "spec": {"width": _WIDTH, "height": _HEIGHT, "layer": _layers(x, y)},
    }


def _layers(x: Spec, y: Spec) -> list[Spec]:
    labels, colours = zip(*_KINDS.values(), strict=True)
    color = {"field": "kind", "type": "nominal", "scale": {"domain": labels, "range": colours}}
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
            "mark": {"type": "point", "shape": "triangle-up", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"x": x, "y": y, "color": color},
        },
    ]


def _rows(scenario: ScenarioTrend, numbers: Mapping[str, int], reference: int | None) -> list[Spec]:
    own = {"scenario": scenario.scenario}
    levels: list[Spec] = [
        {
            **own,
            "part": "level",
            "run": level.place,
            "value": round(level.median, 4),
            "low": round(level.low, 4),
            "high": round(level.high, 4),
        }
        for level in scenario.levels
    ]
    held = [{**own, "part": "reference", "run": reference}] if reference is not None else []
    return [*levels, *held, *(row for trend in scenario.news for row in _series(own, trend, numbers))]


def _series(own: Spec, trend: Trend, numbers: Mapping[str, int]) -> list[Spec]:
    kind = _KINDS[trend.kind][0]
    values = {point.run: round(point.value, 4) for point in trend.points}
    named = {**own, "kind": kind, "cell": trend.cell}
    lines = [
        {**named, "part": "series", "run": numbers[run], "value": value} for run, value in values.items()
    ]
    return lines + [
        {**named, "part": "change", "run": numbers[each.first], "value": values[each.first]}
        for each in trend.changes
    ]
