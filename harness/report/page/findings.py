"""Sections of the page over all cells: red cells, expectations, claims, differences, and the grid."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.cell.interface import LAYERS
from harness.judge.claims import summarize_claim
from harness.report.checks import OUTCOME_KINDS, find_differences
from harness.report.escape import shorten
from harness.report.grid import CellNames, lay_out, order_version
from harness.report.page.cell_details import anchor_cells
from harness.report.view import (
    SignKind,
    axis_names,
    claim_example,
    claim_kind,
    group_red,
    known_divergences,
    list_red_checks,
    only_command,
    sign_cell,
    sign_layer,
    status_word,
)

if TYPE_CHECKING:
    from harness.records import CellVerdict, Claim, Run


_DIFFERENCES_SHOWN = 150
_CHECKS_IN_ALL = 1000
"""Limit of red checks over all groups; with individual messages there are as many groups as cells."""

_HOLDS: dict[bool | None, tuple[SignKind, str]] = {
    True: ("pass", "yes"),
    False: ("red", "no"),
    None: ("none", "not measured"),
}


def view_red(run: Run) -> list[dict[str, Any]]:
    """View the red cells, grouped by reason."""
    anchors, groups = anchor_cells(run), group_red(run)
    room = max(3, _CHECKS_IN_ALL // max(1, len(groups)))
    found = []
    for group in groups:
        checks = list_red_checks(run, group[0].cell)[1:]
        found.append(
            {
                "status": group[0].status,
                "cells": [{"id": cell.cell, "anchor": anchors[cell.cell]} for cell in group],
                "reason": shorten(group[0].reason, 600),
                "advice": group[0].advice,
                "checks": checks[:room],
                "checks_left": max(0, len(checks) - room),
                "command": only_command(run, group[0].cell),
            }
        )
    return found


def view_known(run: Run) -> list[dict[str, Any]]:
    """View known divergences by reason, with the links of their expectations."""
    links: dict[str, list[str]] = defaultdict(list)
    for expectation in (*run.plan.expectations, *run.plan.borrowed):
        if expectation.link and expectation.link not in links[expectation.reason]:
            links[expectation.reason].append(expectation.link)
    return [
        {
            "reason": each.reason,
            "links": links[each.reason],
            "checks": each.checks,
            "cells": each.cells,
            "cases": each.cases,
        }
        for each in known_divergences(run)
    ]


def view_claims(run: Run) -> list[dict[str, Any]]:
    """View the documented claims, with cells grouped by measurement."""
    names = CellNames.of(run)
    return [_claim(run, claim, names) for claim in run.judgement.claims]


def _claim(run: Run, claim: Claim, names: CellNames) -> dict[str, Any]:
    grouped: dict[tuple[bool | None, str], list[str]] = defaultdict(list)
    for row in claim.rows:
        grouped[row.holds, row.measured].append(row.cell)
    example = claim_example(run, claim)
    return {
        "text": claim.text,
        "kind": claim_kind(claim),
        "summary": summarize_claim(claim.rows),
        "example": f"{example.cell}: {shorten(example.measured)}" if example else "",
        "rows": [
            {
                "kind": _HOLDS[holds][0],
                "word": _HOLDS[holds][1],
                "measured": measured,
                "cells": names.describe(cells),
            }
            for (holds, measured), cells in grouped.items()
        ],
    }


def view_differences(run: Run) -> dict[str, Any]:
    """View cases on which cells differ, and the number of omitted ones."""
    found, names = find_differences(run), CellNames.of(run)
    return {
        "differences": [
            {
                "case": difference.case,
                "seen": [
                    {
                        "kind": OUTCOME_KINDS[seen.outcome],
                        "outcome": seen.outcome,
                        "sample": seen.sample,
                        "cells": names.describe(seen.cells),
                    }
                    for seen in difference.values
                ],
            }
            for difference in found[:_DIFFERENCES_SHOWN]
        ],
        "differences_left": max(0, len(found) - _DIFFERENCES_SHOWN),
    }


# Grid and filters


def view_map(run: Run) -> dict[str, Any]:
    """View the grids with the cells of each slot."""
    anchors = anchor_cells(run)
    base = next((cell for cell in run.judgement.cells if cell.cell == run.plan.baseline), None)
    slots = {
        cell.cell: {
            "id": cell.cell,
            "number": number,
            "anchor": anchors[cell.cell],
            "kind": sign_cell(cell),
            "status": status_word(cell),
            "where": _where(cell, base),
            "baseline": cell.cell == run.plan.baseline,
        }
        for number, cell in enumerate(run.judgement.cells)
    }
    found = lay_out(run)
    return {
        "row_axis": found.row_axis,
        "column_axis": found.column_axis,
        "facets": [
            {
                "title": facet.title,
                "columns": facet.columns,
                "rows": [
                    {
                        "value": row.value,
                        "slots": [[slots[cell] for cell in slot if cell in slots] for slot in row.slots],
                    }
                    for row in facet.rows
                ],
            }
            for facet in found.facets
        ],
    }


def _where(cell: CellVerdict, base: CellVerdict | None) -> str:
    """The layers of a cell that are red, or diverge in more cases than in the baseline."""
    if cell.status not in {"ok", "failed"}:
        return ""
    signs = {layer: sign_layer(cell, layer) for layer in LAYERS}
    red = [layer for layer, sign in signs.items() if sign.kind in {"red", "missing"}]
    if red or base is None:
        return " ".join(red)
    return " ".join(
        layer for layer, sign in signs.items() if sign.kind == "xfail" and sign != sign_layer(base, layer)
    )


def view_filter(run: Run) -> dict[str, Any]:
    """View the choices of the filters: every status, and every axis with its versions."""
    axes = {
        axis: {planned.cell.axes.get(axis, "-") for planned in run.plan.cells} for axis in axis_names(run)
    }
    return {
        "statuses": list(dict.fromkeys(status_word(cell) for cell in run.judgement.cells)),
        "axes": [
            {"name": axis, "values": sorted(values, key=order_version)} for axis, values in axes.items()
        ],
    }
