"""Add to the results of a sweep how the vectors of each cell differ from those of the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.cell.interface import RECORDED_CHECK, list_measured_by
from harness.judge.vector_changes import compare_vectors
from harness.records import CellResult, Plan
from harness.runs.folder import VECTORS, RunFolder

if TYPE_CHECKING:
    from harness.cell.recorded import Recorded


def add_comparisons(
    plan: Plan, results: tuple[CellResult, ...], folder: RunFolder, before: Path | None = None
) -> tuple[CellResult, ...]:
    """The results with the cases that compare each cell with the baseline.

    ``before`` is the file of vectors of a baseline that is not in the plan. A cell that ended early, or whose
    inputs changed, is not compared.
    """
    by_cell = {result.cell: result for result in results}
    baseline: Recorded | str | None = None
    compared = []
    for planned, result in zip(plan.cells, results, strict=True):
        cases = list_measured_by("controller", planned.cases)
        if not cases or result.status not in {"ok", "failed"} or result.edited:
            compared.append(result)
            continue
        if baseline is None:
            baseline = _read_baseline(plan, by_cell, folder, before)
        place = folder.cell(planned.same_as or planned.cell.id) / VECTORS
        now = _read(place, result, "this cell")
        more = compare_vectors(now, baseline, cases, plan.tolerances)
        compared.append(msgspec.structs.replace(result, cases=(*result.cases, *more)))
    return tuple(compared)


def _read_baseline(
    plan: Plan, results: dict[str, CellResult], folder: RunFolder, before: Path | None
) -> Recorded | str:
    planned = next((each for each in plan.cells if each.cell.id == plan.baseline), None)
    if before is not None or planned is None:
        return "the baseline has no vectors" if before is None else _read(before, None, "the baseline")
    place = folder.cell(planned.same_as or planned.cell.id) / VECTORS
    return _read(place, results[planned.cell.id], "the baseline")


def _read(path: Path, result: CellResult | None, name: str) -> Recorded | str:
    """The vectors in a file, or why there are none: the message of the check that records them."""
    if result is not None:
        recorded = next((case for case in result.cases if case.id == RECORDED_CHECK), None)
        if recorded is None:
            return f"{name} has no vectors: {result.status}: {result.reason}".rstrip(": ")
        if recorded.outcome not in {"pass", "fail"}:  # a vector that is not finite is recorded too
            return recorded.message
    from harness.cell.recorded import Recorded  # noqa: PLC0415 # NumPy

    try:
        return Recorded.read(path)
    except FileNotFoundError:
        return f"{name} has no vectors: the file {path.name} is missing"
    except ValueError as error:
        return str(error)
