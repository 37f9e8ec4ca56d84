"""Plots of the error in ULP by norm, and of differences as a share of the tolerance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.plots.draw import Spec, ink
from harness.report.precision import SUPERSCRIPTS
from harness.report.view import LAYER_TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.parity import CellGroup
    from harness.report.precision import Precision


# Parity: a column for each layer, a row for each group of cells

_KINDS = {
    "within": ("within its tolerance", ink("pass-ink"), "M0,-1V1"),
    "expected": ("beyond it: known, a limit or a note", ink("xfail-ink"), "triangle-up"),
    "red": ("beyond it, red", ink("red-ink"), "cross"),
    "control": ("smallest difference of a different model", ink("series-4"), "diamond"),
}
_LOWEST, _HIGHEST = 1e-3, 1e4


def plot_parity(groups: Sequence[CellGroup], *, width: int = 165, row: int = 26) -> Spec:
    """Plot shares of the tolerance, which is the line at 1; values outside of the scale are at its ends."""
    rows = [mark for group in groups for mark in _rows(group)]
    layers = list(dict.fromkeys(each["layer"] for each in rows))
    labels, colours, shapes = (list(each) for each in zip(*_KINDS.values(), strict=True))
    kinds = {"field": "kind", "type": "nominal"}
    x = {
        "field": "share",
        "type": "quantitative",
        "title": "share of the tolerance",
        "scale": {"type": "log", "domain": [_LOWEST, _HIGHEST]},
        "axis": {"values": [1e-3, 1e-1, 10, 1e3], "format": "~g", "grid": False},
    }
    y = {
        "field": "group",
        "type": "nominal",
        "title": None,
        "sort": None,
        "axis": {"grid": True, "tickBand": "extent", "labelPadding": 8},
    }
    points = {
        "mark": {"type": "point", "filled": False, "strokeWidth": 1.5, "size": 70},
        "encoding": {
            "x": x,
            "y": y,
            "color": {**kinds, "scale": {"domain": labels, "range": colours}},
            "shape": {**kinds, "scale": {"domain": labels, "range": shapes}},
        },
    }
    rule = {"mark": {"type": "rule", "color": ink("ink")}, "encoding": {"x": {"datum": 1}}}
    return {
        "data": {"values": rows},
        "facet": {"column": {"field": "layer", "type": "nominal", "title": None, "sort": layers}},
        "spacing": 14,
        "spec": {"width": width, "height": {"step": row}, "layer": [rule, points]},
    }


def _rows(group: CellGroup) -> list[Spec]:
    rows: list[Spec] = []
    for each in group.layers:
        marks: list[tuple[float | None, str]] = [(mark.share, mark.kind) for mark in each.marks]
        if each.control is not None:
            marks.append((each.control, "control"))
        rows += [
            {
                "group": _label(group),
                "layer": f"{each.layer} {LAYER_TITLES[each.layer]}".partition(",")[0],
                "share": _HIGHEST if share is None else min(_HIGHEST, max(_LOWEST, share)),
                "kind": _KINDS[kind][0],
            }
            for share, kind in marks
        ]
    return rows


def _label(group: CellGroup) -> str:
    return f"{group.name}: 1 cell" if len(group.cells) == 1 else f"{group.name}: {len(group.cells)} cells"


COLOURS = tuple(ink(f"series-{number}") for number in range(1, 7))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [10, 4], [4, 4])
_LOWEST_ULP = 0.1
"""The place of an error of zero on the logarithmic axis."""


def plot_precision(precision: Precision, *, width: int = 470, height: int = 230) -> Spec:
    """Plot one dtype on two logarithmic axes; values that are not finite are crosses at the top."""
    names = name_series(precision)
    top = 10 * max([10.0, *(value or 0 for each in precision.series for _, value in each.points)])
    rows: list[Spec] = [
        {
            "power": power,
            "ulp": None if value is None else max(value, _LOWEST_ULP),
            "top": top,
            "formula": name,
        }
        for name, each in zip(names, precision.series, strict=True)
        for power, value in each.points
    ]
    powers = [power for each in precision.series for power, _ in each.points]
    marks = [
        {"power": each.power, "name": str(number), "top": top}
        for number, each in enumerate(precision.landmarks, 1)
        if min(powers) <= each.power <= max(powers)
    ]
    y = {
        "field": "ulp",
        "type": "quantitative",
        "title": "worst error, ULP",
        "scale": {"type": "log", "domain": [_LOWEST_ULP, top]},
        "axis": {
            "labelExpr": _superscript(10, "log(datum.value) / LN10"),
            "values": _powers_of_ten(top),
            "grid": False,
        },
    }
    return {
        "width": width,
        "height": height,
        "layer": [_landmarks(marks), *_lines(rows, names, y)],
    }


def _powers_of_ten(top: float) -> list[float]:
    """About six powers of ten up to ``top``."""
    last = math.floor(math.log10(top))
    step = max(1, math.ceil(last / 6))
    return [10.0**power for power in range(0, last + 1, step)]


def name_series(precision: Precision) -> list[str]:
    """Name the series for the legend, with a number where cells differ on a formula."""
    formula = [each.formula for each in precision.series]
    return [
        name if formula.count(name) == 1 else f"{name} ({formula[: place + 1].count(name)})"
        for place, name in enumerate(formula)
    ]


def _superscript(base: int, exponent: str) -> str:
    """A Vega expression for a power with a superscript exponent."""
    digits = f"toString(round({exponent}))"
    for digit, raised in SUPERSCRIPTS.items():
        digits = f"replace({digits}, /{digit}/g, '{raised}')"
    return f"'{base}' + {digits}"


def _x() -> Spec:
    return {
        "field": "power",
        "type": "quantitative",
        "title": "norm of the row",
        "axis": {"labelExpr": _superscript(2, "datum.value"), "grid": False, "tickCount": 8},
    }


def _landmarks(marks: Sequence[Spec]) -> Spec:
    return {
        "data": {"values": list(marks)},
        "encoding": {"x": _x()},
        "layer": [
            {"mark": {"type": "rule", "color": ink("soft"), "strokeDash": [2, 3]}},
            {
                "mark": {"type": "text", "color": ink("soft"), "baseline": "bottom"},
                "encoding": {"text": {"field": "name"}, "y": {"value": -3}},
            },
        ],
    }


def _lines(rows: Sequence[Spec], names: Sequence[str], y: Spec) -> list[Spec]:
    count = len(names)
    kinds = {"field": "formula", "type": "nominal"}
    encoding = {
        "x": _x(),
        "y": y,
        "color": {**kinds, "scale": {"domain": list(names), "range": _cycle(COLOURS, count)}},
        "strokeDash": {**kinds, "scale": {"domain": list(names), "range": _cycle(_DASHES, count)}},
        "shape": {**kinds, "scale": {"domain": list(names), "range": _cycle(SHAPES, count)}},
    }
    line = {key: value for key, value in encoding.items() if key != "shape"}
    point = {key: value for key, value in encoding.items() if key != "strokeDash"}
    lost = {**point, "y": {**y, "field": "top"}}
    data = {"values": list(rows)}
    return [
        {"data": data, "mark": {"type": "line", "invalid": "break-paths-filter-domains"}, "encoding": line},
        {
            "data": data,
            "transform": [{"filter": "datum.ulp !== null"}],
            "mark": {"type": "point", "size": 28, "filled": True},
            "encoding": point,
        },
        {
            "data": data,
            "transform": [{"filter": "datum.ulp === null"}],
            "mark": {"type": "text", "text": "\N{MULTIPLICATION SIGN}", "fontSize": 13},
            "encoding": {key: value for key, value in lost.items() if key != "shape"},
        },
    ]


def _cycle(values: Sequence[object], count: int) -> list[object]:
    return [values[place % len(values)] for place in range(count)]
