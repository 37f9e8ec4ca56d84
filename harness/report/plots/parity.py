"""Differences as a share of what is allowed: a column for each layer, a row for each group of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.legend import LAYER_TITLES
from harness.report.plots.draw import Spec, ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.parity import CellGroup

_KINDS = {
    "within": ("within its tolerance", ink("pass-ink"), "M0,-1V1"),
    "expected": ("beyond it, as expected", ink("xfail-ink"), "triangle-up"),
    "red": ("beyond it, red", ink("red-ink"), "cross"),
    "control": ("least that a different model shows", ink("series-4"), "diamond"),
}
_LOWEST, _HIGHEST = 1e-3, 1e4


def plot_parity(groups: Sequence[CellGroup], *, width: int = 165, row: int = 26) -> Spec:
    """The line at 1 is the tolerance; what lies outside of the scale stands at its ends."""
    rows = [mark for group in groups for mark in _rows(group)]
    layers = list(dict.fromkeys(each["layer"] for each in rows))
    words, colours, shapes = (list(each) for each in zip(*_KINDS.values(), strict=True))
    kinds = {"field": "kind", "type": "nominal"}
    x = {
        "field": "share",
        "type": "quantitative",
        "title": "share of what is allowed",
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
            "color": {**kinds, "scale": {"domain": words, "range": colours}},
            "shape": {**kinds, "scale": {"domain": words, "range": shapes}},
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
