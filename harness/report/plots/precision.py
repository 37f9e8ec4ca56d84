"""Error in ULP over the norm of a row: a line for each formula."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.plots.draw import Spec, ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.precision import Precision

COLOURS = tuple(ink(f"series-{number}") for number in range(1, 7))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [10, 4], [4, 4])
_LOWEST = 0.1
"""Where an error of zero stands: a logarithm has none."""


def plot_precision(precision: Precision, *, width: int = 470, height: int = 230) -> Spec:
    """One dtype; both axes logarithmic; what is no number stands at the top as a cross."""
    names = name_series(precision)
    top = 10 * max([10.0, *(value or 0 for each in precision.series for _, value in each.points)])
    rows: list[Spec] = [
        {"power": power, "ulp": None if value is None else max(value, _LOWEST), "top": top, "who": name}
        for name, each in zip(names, precision.series, strict=True)
        for power, value in each.points
    ]
    powers = [power for each in precision.series for power, _ in each.points]
    marks = [
        {"power": each.power, "name": each.name, "top": top}
        for each in precision.landmarks
        if min(powers) <= each.power <= max(powers)
    ]
    y = {
        "field": "ulp",
        "type": "quantitative",
        "title": "worst error, ULP",
        "scale": {"type": "log", "domain": [_LOWEST, top]},
        "axis": {"labelExpr": "format(datum.value, '~e')", "values": _powers_of_ten(top), "grid": False},
    }
    return {
        "width": width,
        "height": height,
        "layer": [_landmarks(marks), *_lines(rows, names, y)],
    }


def _powers_of_ten(top: float) -> list[float]:
    """About six of them up to ``top``."""
    last = math.floor(math.log10(top))
    step = max(1, math.ceil(last / 6))
    return [10.0**power for power in range(0, last + 1, step)]


def name_series(precision: Precision) -> list[str]:
    """The series as the legend names them: with a number where cells differ on a formula."""
    who = [each.who for each in precision.series]
    return [
        name if who.count(name) == 1 else f"{name} ({who[: place + 1].count(name)})"
        for place, name in enumerate(who)
    ]


def _x() -> Spec:
    return {
        "field": "power",
        "type": "quantitative",
        "title": "norm of the row",
        "axis": {"labelExpr": "'2^' + datum.value", "grid": False, "tickCount": 8},
    }


def _landmarks(marks: Sequence[Spec]) -> Spec:
    return {
        "data": {"values": list(marks)},
        "encoding": {"x": _x()},
        "layer": [
            {"mark": {"type": "rule", "color": ink("soft"), "strokeDash": [2, 3]}},
            {
                "mark": {
                    "type": "text",
                    "angle": 270,
                    "align": "right",
                    "dx": -4,
                    "dy": -4,
                    "color": ink("soft"),
                    "baseline": "bottom",
                },
                "encoding": {"text": {"field": "name"}, "y": {"value": 45}},
            },
        ],
    }


def _lines(rows: Sequence[Spec], names: Sequence[str], y: Spec) -> list[Spec]:
    count = len(names)
    kinds = {"field": "who", "type": "nominal"}
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
