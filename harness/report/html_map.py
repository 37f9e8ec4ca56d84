"""What the page shows of the cells as a grid, and what they can be filtered by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.cell.catalogue import LAYERS
from harness.report.cell_map import lay_out, order_version
from harness.report.html_cells import anchor_cells
from harness.report.view import axis_names, sign_cell, sign_layer, status_word

if TYPE_CHECKING:
    from harness.records import CellVerdict, Run


def view_map(run: Run) -> dict[str, Any]:
    """The grids, each slot with what the template says of the cells in it."""
    anchors = anchor_cells(run)
    slots = {
        cell.cell: {
            "id": cell.cell,
            "number": number,
            "anchor": anchors[cell.cell],
            "kind": sign_cell(cell),
            "status": status_word(cell),
            "where": _where(cell),
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


def _where(cell: CellVerdict) -> str:
    """The layers that are red, of a cell that ran."""
    if cell.status not in {"ok", "failed"}:
        return ""
    return " ".join(layer for layer in LAYERS if sign_layer(cell, layer).kind in {"red", "missing"})


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
