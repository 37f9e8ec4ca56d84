"""What the page shows of the cells as a grid, and what they can be filtered by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.cell.catalogue import LAYERS
from harness.report.cell_map import lay_out, order_version
from harness.report.page.cells import anchor_cells
from harness.report.view import axis_names, sign_cell, sign_layer, status_word

if TYPE_CHECKING:
    from harness.records import CellVerdict, Run


def view_map(run: Run) -> dict[str, Any]:
    """The grids, each slot with what the template says of the cells in it."""
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
    """The layers of a cell that ran which are red, or in which more diverges than in the baseline."""
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
    """The words that the filters offer: every status, and every axis with its versions."""
    axes = {
        axis: {planned.cell.axes.get(axis, "-") for planned in run.plan.cells} for axis in axis_names(run)
    }
    return {
        "statuses": list(dict.fromkeys(status_word(cell) for cell in run.judgement.cells)),
        "axes": [
            {"name": axis, "values": sorted(values, key=order_version)} for axis, values in axes.items()
        ],
    }
