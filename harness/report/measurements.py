"""All measurements of runs as CSV: one row per measurement, with stable columns.

| column | content |
| --- | --- |
| run, kind, matrix, created, commit, machine_class | the run; kind is sweep or gate, created is UTC |
| cell, status, lock | the cell, its status, the digest of its lock |
| measure | check, latency, memory, or quantity (of a gate) |
| name, outcome | the case, scenario or quantity, and its outcome |
| value, unit | the measured value, if finite; latency is a p50 in s, memory in B |
| bound, allowed | kind of bound (max, min, equal, none; ratio for a quantity) and the allowed value |
| ratio, ratio_low, ratio_high | ratio to the baseline with quartiles; of a quantity with its interval |
| noise | the A/A deviation of the session, as a factor |
| samples | timed rounds of a latency, processes of a quantity |
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from harness.judge.snapshot import take_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.records import CellMeasures, Run, Snapshot


COLUMNS = (
    "run",
    "kind",
    "matrix",
    "created",
    "commit",
    "machine_class",
    "cell",
    "status",
    "lock",
    "measure",
    "name",
    "outcome",
    "value",
    "unit",
    "bound",
    "allowed",
    "ratio",
    "ratio_low",
    "ratio_high",
    "noise",
    "samples",
)

Row = dict[str, object]


def render_measurements(run: Run) -> str:
    """Render the measurements of a sweep as CSV with a header (RFC 4180)."""
    return render_measurements_of([take_snapshot(run.plan, run.results, run.judgement)])


def render_measurements_of(snapshots: Iterable[Snapshot]) -> str:
    """Render the measurements of several runs, under one header."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for snapshot in snapshots:
        about = {
            "run": snapshot.run,
            "kind": snapshot.kind,
            "matrix": snapshot.matrix,
            "created": snapshot.created,
            "commit": snapshot.commit,
            "machine_class": snapshot.machine_class,
        }
        writer.writerows({**about, **row} for row in _rows(snapshot))
    return file.getvalue()


def _rows(snapshot: Snapshot) -> Iterator[Row]:
    for cell in snapshot.cells:
        yield from _cell_rows(cell)
    cells = {cell.id: cell for cell in snapshot.cells}
    for each in snapshot.latency:
        yield {
            **_about(cells.get(each.cell), each.cell),
            "measure": "latency",
            "name": each.scenario,
            "value": each.p50,
            "unit": "s",
            "bound": "none",
            "ratio": each.ratio,
            "ratio_low": each.low,
            "ratio_high": each.high,
            "noise": each.noise,
            "samples": each.rounds,
        }
    for decision in snapshot.quantities:
        change = decision.change
        yield {
            **_about(cells.get("candidate"), "candidate"),
            "measure": "quantity",
            "name": decision.quantity.id,
            "outcome": decision.outcome,
            "value": decision.candidate,
            "unit": decision.quantity.unit,
            "bound": "ratio",
            "allowed": decision.quantity.threshold,
            "ratio": change.ratio if change else None,
            "ratio_low": change.low if change else None,
            "ratio_high": change.high if change else None,
            "samples": decision.blocks,
        }


def _cell_rows(cell: CellMeasures) -> Iterator[Row]:
    for case in cell.cases:
        yield {
            **_about(cell, cell.id),
            "measure": "check",
            "name": case.id,
            "outcome": case.outcome,
            "value": case.value,
            "unit": case.unit,
            "bound": case.bound,
            "allowed": case.allowed,
        }
    if cell.peak_rss:
        memory = {"measure": "memory", "name": "peak-rss", "value": cell.peak_rss, "unit": "B"}
        yield {**_about(cell, cell.id), **memory, "bound": "none"}


def _about(cell: CellMeasures | None, name: str) -> Row:
    return {"cell": name, "status": cell.status if cell else "", "lock": cell.lock if cell else ""}
