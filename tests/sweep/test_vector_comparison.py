"""What the sweep adds to its results: cells compared with the baseline, from the files that they left."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from support.runs import make_case, make_plan, make_planned, make_result

from harness.cell.corpus import Sentence
from harness.cell.interface import list_measured_by, load_checks
from harness.cell.recorded import Recorded
from harness.records import CellResult, Plan
from harness.runs.folder import RunFolder
from harness.sweep.vector_comparison import add_comparisons

CASES = list_measured_by("controller", [case for check in load_checks() for case in check.cases(("manual",))])
TEXTS = tuple(Sentence(f"text {number}", "plain") for number in range(12))
ROWS = np.eye(12, dtype=np.float32)
RECORDED = make_case("gold.recorded")
LIMITS = {"before.float32": 1e-5, "before.float16": 1e-3, "l3.tie.float32": 5e-6, "l3.tie.float16": 2e-3}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path, "r1")


def plan_of(*cells: str, baseline: str = "a") -> Plan:
    planned = [
        make_planned(
            cell, cases=("gold.recorded", *(() if cell == baseline else CASES)), baseline=cell == baseline
        )
        for cell in cells
    ]
    return msgspec.structs.replace(make_plan(*planned), baseline=baseline, tolerances=LIMITS)


def result_of(cell: str, folder: RunFolder, rows: np.ndarray | None = ROWS) -> CellResult:
    if rows is not None:
        Recorded(TEXTS, rows, ROWS).write(folder.cell(cell) / "vectors.npz")
    return make_result(cell, cases=[RECORDED])


def compared(results: tuple[CellResult, ...]) -> dict[str, list[tuple[str, str]]]:
    return {
        each.cell: [(case.id, case.outcome) for case in each.cases if case.id in CASES] for each in results
    }


def test_every_other_cell_is_compared_with_the_baseline(folder: RunFolder) -> None:
    turned = np.roll(ROWS, 1, axis=1)
    results = (result_of("a", folder), result_of("b", folder), result_of("c", folder, turned))
    found = add_comparisons(plan_of("a", "b", "c"), results, folder)
    assert found[0] is results[0]
    assert compared(found) == {
        "a": [],
        "b": [(case, "pass") for case in CASES],
        "c": [(case, "fail" if case in {"gold.vectors", "gold.ranking"} else "pass") for case in CASES],
    }


def test_a_cell_with_the_lock_of_another_shares_its_vectors(folder: RunFolder) -> None:
    plan = plan_of("a", "b", "c")
    twin = msgspec.structs.replace(plan.cells[2], same_as="b")
    plan = msgspec.structs.replace(plan, cells=(*plan.cells[:2], twin))
    results = (result_of("a", folder), result_of("b", folder), result_of("c", folder, rows=None))
    assert compared(add_comparisons(plan, results, folder))["c"] == [(case, "pass") for case in CASES]


def test_a_plan_without_a_baseline_is_compared_with_a_file(folder: RunFolder, tmp_path: Path) -> None:
    plan = msgspec.structs.replace(plan_of("trial", baseline=""), baseline=None)
    before = tmp_path / "before.npz"
    Recorded(TEXTS, ROWS, ROWS).write(before)
    results = (result_of("trial", folder),)
    assert compared(add_comparisons(plan, results, folder, before))["trial"] == [
        (case, "pass") for case in CASES
    ]


@pytest.mark.parametrize("broken", ["a", "b"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "has no vectors: the file vectors.npz is missing"),
        (b"PK", "the vectors cannot be read (File is not a zip file)"),
    ],
)
def test_without_vectors_the_cases_are_errors(
    broken: str, content: bytes | None, told: str, folder: RunFolder
) -> None:
    results = (result_of("a", folder), result_of("b", folder))
    path = folder.cell(broken) / "vectors.npz"
    path.unlink() if content is None else path.write_bytes(content)
    found = add_comparisons(plan_of("a", "b"), results, folder)
    messages = {case.message for case in found[1].cases if case.id in CASES}
    assert compared(found)["b"] == [(case, "error") for case in CASES]
    assert len(messages) == 1
    assert told in messages.pop()


def test_the_reason_why_nothing_was_recorded_is_that_of_the_cell(folder: RunFolder) -> None:
    raised = make_case("gold.recorded", "error", message="KeyError: '24' in embed.py, line 5")
    results = (make_result("a", cases=[raised]), result_of("b", folder))
    found = add_comparisons(plan_of("a", "b"), results, folder)
    assert {case.message for case in found[1].cases if case.id in CASES} == {raised.message}


@pytest.mark.parametrize("status", ["crashed", "import-error"])
def test_a_cell_that_ended_early_is_not_compared(status: str, folder: RunFolder) -> None:
    dead = msgspec.structs.replace(result_of("b", folder), status=status)
    results = (result_of("a", folder), dead)
    assert add_comparisons(plan_of("a", "b"), results, folder) == results


def test_a_baseline_that_ended_early_is_named(folder: RunFolder) -> None:
    dead = msgspec.structs.replace(make_result("a"), status="crashed", reason="it was killed", cases=())
    found = add_comparisons(plan_of("a", "b"), (dead, result_of("b", folder)), folder)
    told = "the baseline has no vectors: crashed: it was killed"
    assert {case.message for case in found[1].cases if case.id in CASES} == {told}


def test_a_cell_whose_inputs_changed_is_not_compared(folder: RunFolder) -> None:
    edited = msgspec.structs.replace(result_of("b", folder), status="failed", edited=("embed.py",))
    results = (result_of("a", folder), edited)
    assert add_comparisons(plan_of("a", "b"), results, folder) == results
