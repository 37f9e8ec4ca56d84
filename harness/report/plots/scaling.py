"""Plots of the time per row or text at each batch, and of targets relative to the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.plots.draw import Spec, ink
from harness.report.plots.precision import COLOURS, SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.latency_view import Against, Scale


def plot_scaling(scales: Sequence[Scale], *, width: int = 250, height: int = 190) -> Spec:
    """Plot a column for each kind and dtype: the baseline as a line, the range of all cells as an area."""
    rows = [_row(each) for each in scales]
    return {
        "data": {"values": rows},
        "facet": {
            "column": {
                "field": "of",
                "type": "nominal",
                "title": None,
                "sort": list(dict.fromkeys(row["of"] for row in rows)),
            }
        },
        "resolve": {"scale": {"x": "independent", "y": "independent"}},
        "spec": {
            "width": width,
            "height": height,
            "layer": _layers(
                sorted({row["batch"] for row in rows}), list(dict.fromkeys(row["target"] for row in rows))
            ),
        },
    }


def _row(scale: Scale) -> Spec:
    scenario = scale.scenario
    return {
        "of": f"{scenario.kind}, {scenario.dtype}",
        "target": scenario.target,
        "batch": scenario.batch,
        "baseline": None if scale.baseline is None else scale.baseline * 1e6,
        "lowest": scale.lowest * 1e6,
        "highest": scale.highest * 1e6,
    }


def _layers(batches: Sequence[int], targets: Sequence[str]) -> list[Spec]:
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
        "title": "\N{MICRO SIGN}s per row or text",
        "scale": {"type": "log", "nice": False, "padding": 8},
        "axis": {"labelExpr": "format(datum.value, '~g')", "tickCount": 4},
    }
    place = {"x": x, "y": y, "color": color}
    return [
        {
            "mark": {"type": "area", "opacity": 0.25},
            "encoding": {**place, "y": {**y, "field": "lowest"}, "y2": {"field": "highest"}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 1.5, "invalid": "break-paths-filter-domains"},
            "encoding": place,
        },
        {
            "transform": [{"filter": "datum.baseline !== null"}],
            "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
            "encoding": {**place, "shape": shape},
        },
    ]


def _take(several: Sequence[str], count: int) -> list[str]:
    """The first ``count`` of a repeated sequence."""
    return [several[place % len(several)] for place in range(count)]


def plot_against(found: Sequence[Against], *, width: int = 560, row: int = 22) -> Spec:
    """Plot a row for each scenario: a tick for each cell, and their median."""
    ticks = [
        {"name": name_against(each), "ratio": round(ratio, 4)} for each in found for ratio in each.ratios
    ]
    medians = [{"name": name_against(each), "ratio": each.median} for each in found]
    x = {
        "field": "ratio",
        "type": "quantitative",
        "title": f"time / {found[0].reference}" if found else "",
        "scale": {"type": "log", "nice": False, "padding": 10},
        "axis": {"labelExpr": "format(datum.value, '~g') + 'x'", "tickCount": 8, "grid": False},
    }
    y = {
        "field": "name",
        "type": "nominal",
        "title": None,
        "sort": None,
        "axis": {"grid": True, "tickBand": "extent"},
    }
    return {
        "width": width,
        "height": {"step": row},
        "layer": [
            {"mark": {"type": "rule", "color": ink("soft")}, "encoding": {"x": {"datum": 1}}},
            {
                "data": {"values": ticks},
                "mark": {"type": "tick", "thickness": 1.2, "color": ink("series-1")},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"values": medians},
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "color": ink("series-2")},
                "encoding": {"x": x, "y": y},
            },
        ],
    }


def name_against(each: Against) -> str:
    """Name the row of a scenario in the plot and its table."""
    return f"{each.scenario.target} {each.scenario.dtype}, batch {each.scenario.batch}"
