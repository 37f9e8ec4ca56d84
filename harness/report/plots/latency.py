"""Plots of latency ratios with quartiles and noise, and of their rounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.latency_view import beyond_noise
from harness.report.plots.draw import Spec, ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import LatencyRow
    from harness.report.grid import VersionNames
    from harness.report.latency_view import Family, Rounds


MOST_CELLS, CELLS_OF_MANY = 40, 24
"""Largest number of cells in a plot: those furthest from the baseline; the table has all.

Most of the cost of drawing is the measurement of their names.
"""

_NARROWEST = 0.25
"""Ratios below it, and above its inverse, are drawn at the edge of the plot."""

_WIDE, _CLOSE = (0.25, 0.5, 1, 2, 4), (0.5, 0.7, 0.8, 1, 1.25, 1.5, 2)
"""Labels of a wide axis and of a narrow one."""

_LABELS = {"": "within the noise", " ▲": "slower", " ▼": "faster"}
_UNKNOWN = "noise unknown"


def choose_cells(family: Family) -> list[str]:
    """Choose the cells of a plot, in the order of the plan."""
    if len(family.cells) <= MOST_CELLS:
        return list(family.cells)
    furthest: dict[str, float] = dict.fromkeys(family.cells, 0.0)
    for _, row in family.rows:
        if row.ratio:
            furthest[row.cell] = max(furthest[row.cell], abs(math.log(row.ratio)))
    kept = set(sorted(family.cells, key=lambda cell: -furthest[cell])[:CELLS_OF_MANY])
    return [cell for cell in family.cells if cell in kept]


def count_clamped(family: Family) -> int:
    """Count the ratios of a plot that are drawn at its edge."""
    cells = set(choose_cells(family))
    ratios = [row.ratio for _, row in family.rows if row.ratio and row.cell in cells]
    return sum(not _NARROWEST <= ratio <= 1 / _NARROWEST for ratio in ratios)


def plot_family(family: Family, named: VersionNames, *, width: int = 190, row: int = 15) -> Spec:
    """Plot a column for each batch and a row for each cell: noise band, quartile line, ratio mark."""
    cells = {cell: named.names[cell] for cell in choose_cells(family)}
    rows = [
        _ratio(batch, cells[each.cell], each)
        for batch, each in family.rows
        if each.ratio and each.cell in cells
    ]
    x = _ratio_axis([value for each in rows for value in (each["low"], each["high"]) if value])
    y = {
        "field": "cell",
        "type": "nominal",
        "title": None,
        "sort": list(cells.values()),
        "axis": {"labelOverlap": False},
    }
    return {
        "title": _name_axes(named),
        "data": {"values": rows},
        "facet": {"column": _column_of(family)},
        "spacing": 12,
        "spec": {
            "width": width,
            "height": {"step": row},
            "layer": [
                {
                    "mark": {"type": "bar", "color": ink("band"), "height": row - 1},
                    "encoding": {"y": y, "x": {**x, "field": "under"}, "x2": {"field": "over"}},
                },
                {"mark": {"type": "rule", "color": ink("soft")}, "encoding": {"x": {"datum": 1}}},
                {
                    "mark": {"type": "rule", "strokeWidth": 1.5, "color": ink("soft")},
                    "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}},
                },
                {
                    "mark": {"type": "point", "filled": True, "size": 34, "opacity": 1},
                    "encoding": {"y": y, "x": x, **_describe_kinds(rows)},
                },
            ],
        },
    }


def _column_of(family: Family) -> Spec:
    batches = [_name_batch(batch) for batch in family.batches]
    return {"field": "batch", "type": "nominal", "title": None, "sort": batches}


def _describe_kinds(rows: Sequence[Spec]) -> Spec:
    """The colour and shape of each kind of mark."""
    labels, shapes = list(_LABELS.values()), ["circle", "triangle-up", "triangle-down"]
    colours = [ink("soft"), ink("series-2"), ink("series-1")]
    if any(each["kind"] == _UNKNOWN for each in rows):
        labels, shapes, colours = [*labels, _UNKNOWN], [*shapes, "diamond"], [*colours, ink("soft")]
    kind = {"field": "kind", "type": "nominal"}
    return {
        "color": {**kind, "scale": {"domain": labels, "range": colours}},
        "shape": {**kind, "scale": {"domain": labels, "range": shapes}},
    }


def _name_axes(named: VersionNames) -> Spec | None:
    """A title above the cell names with their axes; None if the names are ids."""
    if not named.axes:
        return None
    plain = {"anchor": "start", "fontSize": 11, "fontWeight": "normal", "color": ink("ink")}
    return {"text": " · ".join(named.axes), **plain}


def _name_batch(batch: int) -> str:
    return f"batch {batch}"


def _ratio(batch: int, name: str, row: LatencyRow) -> Spec:
    band = {"under": 1 / row.floor, "over": row.floor} if row.floor else {}
    return {
        "cell": name,
        "batch": _name_batch(batch),
        "ratio": row.ratio,
        "low": row.low or row.ratio,
        "high": row.high or row.ratio,
        **band,
        "kind": _LABELS[beyond_noise(row)] if row.floor else _UNKNOWN,
    }


def _ratio_axis(values: Sequence[float], title: str = "time / baseline") -> Spec:
    low = max(_NARROWEST, min([0.8, *values]) * 0.97)
    high = min(1 / _NARROWEST, max([1.25, *values]) * 1.03)
    ticks = [tick for tick in (_WIDE if high / low > 4 else _CLOSE) if low <= tick <= high]
    return {
        "field": "ratio",
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "domain": [low, high], "nice": False, "clamp": True},
        "axis": {"values": ticks, "format": "~g", "grid": False},
    }


_ARMS = ("baseline", "baseline again", "other cells")


def plot_rounds(found: Sequence[Rounds], *, width: int = 560, row: int = 26) -> Spec:
    """Plot a row for each scenario: rounds of both baseline processes, quantiles of all other cells."""
    ticks: list[Spec] = [
        {"scenario": each.scenario, "arm": arm, "ratio": round(value, 4)}
        for each in found
        for arm, values in zip(_ARMS, (each.baseline, each.again), strict=False)
        for value in values
        if value > 0
    ]
    spans: list[Spec] = [
        {"scenario": each.scenario, "arm": _ARMS[-1], "ratio": each.others[2]}
        | dict(zip(("p10", "p25", "p50", "p75", "p90"), each.others, strict=True))
        for each in found
        if each.others
    ]
    values = [tick["ratio"] for tick in ticks] + [span[key] for span in spans for key in ("p10", "p90")]
    x = _ratio_axis(values, "time / median round of the baseline")
    place = _rounds_place([each.scenario for each in found])
    return {
        "width": width,
        "height": {"step": row, "for": "position"},
        "layer": [
            {"mark": {"type": "rule", "color": ink("soft")}, "encoding": {"x": {"datum": 1}}},
            {
                "data": {"values": ticks},
                "mark": {"type": "tick", "thickness": 1.2, "size": 7},
                "encoding": {"x": x, **place},
            },
            *(
                {
                    "data": {"values": spans},
                    "mark": {"type": "rule", "strokeWidth": thick},
                    "encoding": {"x": {**x, "field": low}, "x2": {"field": high}, **place},
                }
                for thick, low, high in ((1, "p10", "p90"), (4, "p25", "p75"))
            ),
        ],
    }


def _rounds_place(scenarios: Sequence[str]) -> Spec:
    """Position a band for each scenario, with a line for each arm."""
    colours = [ink("series-1"), ink("series-2"), ink("soft")]
    return {
        "y": {
            "field": "scenario",
            "type": "nominal",
            "title": None,
            "sort": scenarios,
            "axis": {"grid": True, "tickBand": "extent"},
        },
        "yOffset": {"field": "arm", "type": "nominal", "sort": _ARMS, "scale": {"domain": _ARMS}},
        "color": {"field": "arm", "type": "nominal", "scale": {"domain": _ARMS, "range": colours}},
    }
