"""Sections of the page on latency, precision and parity: plots, sentences and tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.report.grid import CellNames, VersionNames
from harness.report.latency_view import (
    REFERENCES,
    Against,
    Family,
    Rounds,
    beyond_noise,
    describe_wrong,
    find_against,
    find_families,
    find_rounds,
    find_scaling,
    noise_floor,
    show_ratio,
    show_seconds,
)
from harness.report.parity import Kind, find_parity, find_worst_texts
from harness.report.plots.draw import Spec, draw
from harness.report.plots.latency import (
    choose_cells,
    count_clamped,
    name_against,
    plot_against,
    plot_family,
    plot_rounds,
    show_span,
)
from harness.report.plots.precision import name_series, plot_parity, plot_precision
from harness.report.plots.scaling import plot_scaling
from harness.report.precision import (
    Precision,
    describe,
    describe_landmarks,
    find_precision,
    show_number,
    show_power,
)
from harness.report.view import SignKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import LatencyRow, Run
    from harness.report.parity import CellGroup, LayerSpread


# Precision and parity

_GROUPS_SHOWN = 24

KINDS: dict[Kind, SignKind] = {"within": "pass", "expected": "xfail", "red": "red"}
_BEYOND: dict[Kind, str] = {"expected": "expected", "red": "red"}


def view_plot(spec: Spec, *, title: str, key: str, summary: str = "") -> dict[str, Any]:
    """View a plot with its title; ``summary`` is its text alternative."""
    return {"title": title, "svg": draw(spec, label=f"{title}. {summary}".strip(), key=key)}


def view_precision(run: Run) -> list[dict[str, Any]]:
    """View precision: for each dtype a plot, a sentence for each formula, and the numbers."""
    return [_precision(run, each) for each in find_precision(run)]


def _precision(run: Run, precision: Precision) -> dict[str, Any]:
    names, names_of = name_series(precision), CellNames.of(run)
    sentences = []
    for name, series in zip(names, precision.series, strict=True):
        cells = "" if name == series.formula else f" In {names_of.describe(series.cells)}."
        sentences.append(f"{name}{describe(series).removeprefix(series.formula)}{cells}")
    powers = sorted({power for series in precision.series for power, _ in series.points})
    values = [dict(series.points) for series in precision.series]
    return {
        "dtype": precision.dtype,
        "names": names,
        "sentences": sentences,
        "landmarks": describe_landmarks(precision),
        "rows": [
            (show_power(power), [_ulp(each[power]) if power in each else "" for each in values])
            for power in powers
        ],
        "plot": view_plot(
            plot_precision(precision),
            title=f"{precision.dtype}: error by norm of the row",
            key=f"precision-{precision.dtype}",
            summary=" ".join(sentences),
        ),
    }


def _ulp(value: float | None) -> str:
    return "not finite" if value is None else show_number(value)


def view_parity(run: Run) -> dict[str, Any]:
    """View the differences as shares of their tolerances, and the texts that differ most."""
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
                "cells": names.describe(group.cells),
                "layers": [_layer(each) for each in group.layers],
            }
            for group in shown
        ],
        "left": len(groups) - len(shown),
        "plot": plot_parity(
            shown, title="Differences by layer, as a share of the tolerance", key="parity-plot"
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
    """Format a share of the tolerance: ``0.19x``, ``not finite``, or a dash for None."""
    if share is None:
        return "-"
    return f"{share:.3g}x" if math.isfinite(share) else "not finite"


_NOTHING = {"p50": "-", "ratio": "-", "spread": "-"}
_HEADINGS = {
    "embed": "OpenVINO against sentence-transformers",
    "normalize": "Normalizers against the reference",
}


def view_latency(run: Run) -> dict[str, Any]:
    """View latency, that of a text to its vector first; empty without timings."""
    floor, against, named = noise_floor(run), find_against(run), VersionNames.of(run)
    families = sorted(find_families(run), key=lambda each: not each.name.startswith("embed"))
    return {
        "families": [_family(run, named, place, each) for place, each in enumerate(families)],
        "floor": show_ratio(floor) if floor is not None else "",
        "wrong": describe_wrong(run),
        "scaling": _scaling(run),
        "against": [
            _against(kind, found)
            for kind in ("embed", "normalize")
            if (found := [each for each in against if each.scenario.kind == kind])
        ],
        "rounds": _rounds(find_rounds(run)),
    }


def _family(run: Run, named: VersionNames, place: int, family: Family) -> dict[str, Any]:
    rows = {(row.cell, batch): row for batch, row in family.rows}
    numbers = {cell.cell: number for number, cell in enumerate(run.judgement.cells)}
    shown = len(choose_cells(family))
    return {
        "name": family.name,
        "summary": _summarize(run, family),
        "shown": shown,
        "left": len(family.cells) - shown,
        "clamped": count_clamped(family),
        "plot": plot_family(family, named, numbers, key=f"family-{place}"),
        "axes": " · ".join(named.axes) or "cell",
        "batches": family.batches,
        "rows": [
            {
                "cell": named.names[cell],
                "number": numbers[cell],
                "values": [_numbers(rows.get((cell, batch))) for batch in family.batches],
            }
            for cell in family.cells
        ],
    }  # fmt: skip


def _summarize(run: Run, family: Family) -> str:
    """Describe the range of the ratios and the noise."""
    others = [row for _, row in family.rows if row.cell != run.plan.baseline]
    ratios = [row.ratio for row in others if row.ratio is not None]
    span = f"{show_ratio(min(ratios))} to {show_ratio(max(ratios))}" if ratios else "no other cell"
    floors = sorted(row.floor for _, row in family.rows if row.floor is not None)
    if not floors:
        return f"{span}; without an A/A arm the noise is unknown"
    slower = sum(beyond_noise(row) == " ▲" for row in others)
    faster = sum(beyond_noise(row) == " ▼" for row in others)
    ends = list(dict.fromkeys(map(show_ratio, (floors[0], floors[-1]))))
    text = f"{span}; noise {' to '.join(ends)}{' by session' if len(ends) > 1 else ''}"
    return f"{text}; of {len(ratios)} ratios {slower} slower, {faster} faster" if ratios else text


def _numbers(row: LatencyRow | None) -> dict[str, str]:
    if row is None:
        return _NOTHING
    return {
        "p50": show_seconds(row.p50),
        "ratio": f"{show_ratio(row.ratio)}{beyond_noise(row)}",
        "spread": f"{show_ratio(row.low)} - {show_ratio(row.high)}" if row.low is not None else "-",
    }


def _scaling(run: Run) -> dict[str, Any] | None:
    found = find_scaling(run)
    if not found:
        return None
    kinds = dict.fromkeys((each.scenario.kind, each.scenario.dtype) for each in found)
    return {
        "plots": [
            view_plot(
                plot_scaling(
                    [each for each in found if (each.scenario.kind, each.scenario.dtype) == (kind, dtype)]
                ),
                title=f"{kind}, {dtype}",
                key=f"scaling-{kind}-{dtype}",
                summary="The table below has its numbers.",
            )
            for kind, dtype in kinds
        ],
        "rows": [
            {
                "family": each.scenario.family,
                "batch": each.scenario.batch,
                "baseline": "-" if each.baseline is None else show_seconds(each.baseline),
                "lowest": show_seconds(each.lowest),
                "highest": show_seconds(each.highest),
            }
            for each in found
        ],
    }


def _against(kind: str, found: Sequence[Against]) -> dict[str, Any]:
    medians = sorted(each.median for each in found)
    sentence = (
        f"Time relative to {REFERENCES[kind]} at the same batch, in the same cell: "
        f"medians from {show_ratio(medians[0])} to {show_ratio(medians[-1])}."
    )
    return {
        "anchor": f"against-{kind}",
        "heading": _HEADINGS[kind],
        "sentence": sentence,
        "plot": plot_against(found, title=_HEADINGS[kind], key=f"plot-{kind}"),
        "rows": [
            {
                "name": name_against(each),
                "median": show_ratio(each.median),
                "lowest": show_ratio(min(each.ratios)),
                "highest": show_ratio(max(each.ratios)),
                "cells": len(each.ratios),
            }
            for each in found
        ],
    }


def _rounds(found: Sequence[Rounds]) -> dict[str, Any] | None:
    if not found:
        return None
    return {
        "plot": plot_rounds(found, key="rounds-plot"),
        "rows": [
            {
                "scenario": each.scenario,
                "typical": show_seconds(each.typical),
                "count": len(each.baseline),
                "baseline": show_span(each.baseline),
                "again": show_span(each.again),
                "others": show_span(each.others[1:4]) if each.others else "-",
            }
            for each in found
        ],
    }
