"""Plots of the error in ULP by norm, and of differences as a share of the tolerance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.plots.draw import WIDTH, Spec, ink
from harness.report.plots.rows import Key, Mark, Panel, Row, RowPlot, Scale
from harness.report.precision import SUPERSCRIPTS, show_number, show_power
from harness.report.view import LAYER_TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.parity import CellGroup, LayerSpread
    from harness.report.precision import Precision


# Parity: a panel for each layer, a row for each group of cells

_KINDS: dict[str, Key] = {
    "within": ("tick", "pass-ink", "within its tolerance"),
    "expected": ("up", "xfail-ink", "beyond it: known, a limit or a note"),
    "red": ("cross", "red-ink", "beyond it, red"),
    "control": ("diamond", "series-4", "smallest difference of a different model"),
}
_SHARES = Scale(1e-3, 1e4, ((1e-2, "0.01x"), (1.0, "1x"), (1e2, "100x")))


def plot_parity(groups: Sequence[CellGroup], *, title: str, key: str) -> RowPlot:
    """Plot shares of the tolerance, which is the line at 1; values outside of the scale are at its ends."""
    layers = dict.fromkeys(each.layer for group in groups for each in group.layers)
    return RowPlot(
        title=title,
        key=key,
        scale=_SHARES,
        panels=tuple(
            Panel(
                f"{layer} {LAYER_TITLES[layer]}".partition(",")[0],
                tuple(
                    _spread(_label(group), each)
                    for group in groups
                    for each in group.layers
                    if each.layer == layer
                ),
            )
            for layer in layers
        ),
        legend=tuple(_KINDS.values()),
    )


def _spread(name: str, spread: LayerSpread) -> Row:
    found = [(mark.share, mark.kind) for mark in spread.marks]
    control = "" if spread.control is None else f", a different model {spread.control:.3g}x"
    marks = [
        Mark(math.inf if share is None else share, *_KINDS[kind][:2])
        for share, kind in (*found, *([(spread.control, "control")] if control else []))
    ]
    worst = "" if spread.worst is None else f", the worst {spread.worst:.3g}x of the tolerance"
    infinite = f", {spread.infinite} not finite" if spread.infinite else ""
    return Row(name, f"{name}: {spread.cases} cases{worst}{infinite}{control}", marks=tuple(marks))


def _label(group: CellGroup) -> str:
    return f"{group.name}: 1 cell" if len(group.cells) == 1 else f"{group.name}: {len(group.cells)} cells"


# Precision

COLOURS = tuple(ink(f"series-{number}") for number in range(1, 7))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [10, 4], [4, 4])
_LOWEST_ULP = 0.1
"""The place of an error of zero on the logarithmic axis."""


def plot_precision(precision: Precision, *, width: int = WIDTH, height: int = 320) -> Spec:
    """Plot one dtype on two logarithmic axes; values that are not finite are crosses at the top."""
    names = name_series(precision)
    top = 10 * max([10.0, *(value or 0 for each in precision.series for _, value in each.points)])
    rows: list[Spec] = [
        {
            "power": power,
            "ulp": None if value is None else max(value, _LOWEST_ULP),
            "top": top,
            "formula": name,
            "told": f"{name}, norm {show_power(power)}: "
            + ("not finite" if value is None else f"{show_number(value)} ULP"),
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
        "layer": [_landmarks(marks, _x(powers)), *_lines(rows, names, _x(powers), y)],
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


def _x(powers: Sequence[int]) -> Spec:
    """The axis of the norms, with about five labels at round exponents."""
    span = max(powers) - min(powers)
    step = next((step for step in (5, 10, 50, 100) if span / step <= 6), 500)
    return {
        "field": "power",
        "type": "quantitative",
        "title": "norm of the row",
        "scale": {"domain": [min(powers), max(powers)], "nice": False, "padding": 6},
        "axis": {
            "labelExpr": _superscript(2, "datum.value"),
            "labelOverlap": False,
            "grid": False,
            "values": list(range(math.ceil(min(powers) / step) * step, max(powers) + 1, step)),
        },
    }


def _landmarks(marks: Sequence[Spec], x: Spec) -> Spec:
    return {
        "data": {"values": list(marks)},
        "encoding": {"x": x},
        "layer": [
            {"mark": {"type": "rule", "color": ink("soft"), "strokeDash": [2, 3]}},
            {
                "mark": {"type": "text", "color": ink("soft"), "baseline": "bottom"},
                "encoding": {"text": {"field": "name"}, "y": {"value": -3}},
            },
        ],
    }


def _lines(rows: Sequence[Spec], names: Sequence[str], x: Spec, y: Spec) -> list[Spec]:
    count = len(names)
    kinds = {"field": "formula", "type": "nominal", "legend": {"symbolStrokeWidth": 0}}
    encoding = {
        "x": x,
        "y": y,
        "color": {**kinds, "scale": {"domain": list(names), "range": _cycle(COLOURS, count)}},
        "strokeDash": {
            **kinds,
            "scale": {"domain": list(names), "range": _cycle(_DASHES, count)},
        },
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
            "mark": {"type": "point", "size": 36, "filled": True, "opacity": 1, "aria": True},
            "encoding": {**point, "description": {"field": "told"}},
        },
        {
            "data": data,
            "transform": [{"filter": "datum.ulp === null"}],
            "mark": {"type": "text", "text": "\N{MULTIPLICATION SIGN}", "fontSize": 16, "aria": True},
            "encoding": {
                **{key: value for key, value in lost.items() if key != "shape"},
                "description": {"field": "told"},
            },
        },
    ]


def _cycle(values: Sequence[object], count: int) -> list[object]:
    return [values[place % len(values)] for place in range(count)]
