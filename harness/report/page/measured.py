"""What the page shows of precision and parity: plots, the sentences and the tables beside them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.report.cell_names import CellNames
from harness.report.parity import Kind, find_parity, find_worst_texts
from harness.report.plots.draw import Spec, draw
from harness.report.plots.parity import plot_parity
from harness.report.plots.precision import name_series, plot_precision
from harness.report.precision import Precision, describe, find_precision
from harness.report.view import SignKind

if TYPE_CHECKING:
    from harness.records import Run
    from harness.report.parity import CellGroup, LayerSpread

_GROUPS_SHOWN = 24

KINDS: dict[Kind, SignKind] = {"within": "pass", "expected": "xfail", "red": "red"}
_BEYOND: dict[Kind, str] = {"expected": "expected", "red": "red"}


def view_plot(spec: Spec, *, title: str, key: str, said: str = "") -> dict[str, Any]:
    """A plot with its title; ``said`` is what it shows, for those who cannot see it."""
    return {"title": title, "svg": draw(spec, label=f"{title}. {said}".strip(), key=key)}


def view_precision(run: Run) -> list[dict[str, Any]]:
    """A plot for each dtype, with a sentence for each formula and the numbers."""
    return [_precision(run, each) for each in find_precision(run)]


def _precision(run: Run, precision: Precision) -> dict[str, Any]:
    names, names_of = name_series(precision), CellNames.of(run)
    sentences = []
    for name, series in zip(names, precision.series, strict=True):
        cells = "" if name == series.who else f" In {names_of.say(series.cells)}."
        sentences.append(f"{name}{describe(series).removeprefix(series.who)}{cells}")
    powers = sorted({power for series in precision.series for power, _ in series.points})
    values = [dict(series.points) for series in precision.series]
    return {
        "dtype": precision.dtype,
        "names": names,
        "sentences": sentences,
        "rows": [
            (power, [_ulp(each[power]) if power in each else "" for each in values]) for power in powers
        ],
        "plot": view_plot(
            plot_precision(precision),
            title=f"{precision.dtype}: error over the norm of the row",
            key=f"precision-{precision.dtype}",
            said=" ".join(sentences),
        ),
    }


def _ulp(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


def view_parity(run: Run) -> dict[str, Any]:
    """The distribution of differences against their tolerances, and the texts that differ most."""
    groups = find_parity(run)
    texts = [
        {
            "case": each.case,
            "kind": KINDS[each.kind],
            "value": "not finite" if each.value is None else f"{each.value:.2g} {each.unit}",
            "share": show_share(each.share),
            "sample": each.sample,
            "cells": each.cells,
        }
        for each in find_worst_texts(run)
    ]
    return {"parity": _parity(run, groups) if groups else None, "worst_texts": texts}


def _parity(run: Run, groups: list[CellGroup]) -> dict[str, Any]:
    shown, names = groups[:_GROUPS_SHOWN], CellNames.of(run)
    return {
        "groups": [
            {
                "name": group.name,
                "cells": names.say(group.cells),
                "layers": [_layer(each) for each in group.layers],
            }
            for group in shown
        ],
        "left": len(groups) - len(shown),
        "plot": view_plot(
            plot_parity(shown),
            title="Differences by layer, as a share of what is allowed",
            key="parity",
            said="The table below has its numbers.",
        ),
    }


def _layer(spread: LayerSpread) -> dict[str, Any]:
    return {
        "layer": spread.layer,
        "cases": spread.cases,
        "median": show_share(spread.median),
        "worst": show_share(spread.worst),
        "infinite": spread.infinite,
        "control": show_share(spread.control),
        "beyond": [
            (KINDS[kind], f"{count} {word}")
            for kind, word in _BEYOND.items()
            if (count := spread.count(kind))
        ],
    }


def show_share(share: float | None) -> str:
    """A share of what is allowed: ``0.19x``; ``not finite`` for what is no number, a dash for none."""
    if share is None:
        return "-"
    return f"{share:.3g}x" if math.isfinite(share) else "not finite"
