"""Plots of the time per row or text at each batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.latency_view import show_seconds
from harness.report.plots.draw import WIDTH, Spec
from harness.report.plots.precision import COLOURS, SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.latency_view import Scale


def plot_scaling(scales: Sequence[Scale], *, width: int = WIDTH, height: int = 320) -> Spec:
    """Plot targets by batch: the baseline as a line, the range of all cells as an area."""
    rows = [_row(each) for each in scales]
    return {
        "data": {"values": rows},
        "width": width,
        "height": height,
        "layer": _layers(
            sorted({row["batch"] for row in rows}),
            list(dict.fromkeys(row["target"] for row in rows)),
            _list_ticks(min(row["lowest"] for row in rows), max(row["highest"] for row in rows)),
        ),
    }


_SECONDS = "datum.value < 1000 ? format(datum.value, '~g') + ' µs' : format(datum.value / 1000, '~g') + ' ms'"


def _list_ticks(low: float, high: float) -> list[float]:
    """The values of 1, 2 and 5 times a power of ten within a range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for power in powers for digit in (1, 2, 5) if low <= (tick := digit * 10.0**power) <= high]


def _row(scale: Scale) -> Spec:
    scenario = scale.scenario
    return {
        "target": scenario.target,
        "batch": scenario.batch,
        "baseline": None if scale.baseline is None else scale.baseline * 1e6,
        "told": f"{scenario.target}, batch {scenario.batch}: "
        + ("" if scale.baseline is None else f"{show_seconds(scale.baseline)} in the baseline, ")
        + f"{show_seconds(scale.lowest)} to {show_seconds(scale.highest)} in all cells",
        "lowest": scale.lowest * 1e6,
        "highest": scale.highest * 1e6,
    }


def _layers(batches: Sequence[int], targets: Sequence[str], ticks: Sequence[float]) -> list[Spec]:
    target = {"field": "target", "type": "nominal"}
    color = {**target, "scale": {"domain": targets, "range": _take(COLOURS, len(targets))}}
    shape = {**target, "scale": {"domain": targets, "range": _take(SHAPES, len(targets))}}
    x = {
        "field": "batch",
        "type": "quantitative",
        "title": "batch",
        "scale": {"type": "log", "base": 2},
        "axis": {"values": batches, "grid": False, "format": "d"},
    }
    y = {
        "field": "baseline",
        "type": "quantitative",
        "title": "time per row or text",
        "scale": {"type": "log", "nice": False, "padding": 8},
        "axis": {"labelExpr": _SECONDS, "values": ticks},
    }
    place = {"x": x, "y": y, "color": color}
    return [
        {
            "mark": {"type": "area", "fillOpacity": 0.25},
            "encoding": {**place, "y": {**y, "field": "lowest"}, "y2": {"field": "highest"}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 1.5, "invalid": "break-paths-filter-domains"},
            "encoding": place,
        },
        {
            "transform": [{"filter": "datum.baseline !== null"}],
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "aria": True},
            "encoding": {**place, "shape": shape, "description": {"field": "told"}},
        },
    ]


def _take(several: Sequence[str], count: int) -> list[str]:
    """The first ``count`` of a repeated sequence."""
    return [several[place % len(several)] for place in range(count)]
