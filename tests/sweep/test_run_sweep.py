"""A plan that is narrowed to some checks asks each cell for what its process runs."""

from __future__ import annotations

import msgspec
import pytest
from support.runs import make_plan, make_planned

from harness.cell.interface import list_measured_by, load_checks, select_cases
from harness.sweep.run_sweep import narrow_checks

CHECKS = load_checks()
CASES = tuple(case for check in CHECKS for case in check.cases(("manual",)))
ALONE = list_measured_by("cell", CASES)
PLAN = msgspec.structs.replace(
    make_plan(make_planned("base", cases=ALONE, baseline=True), make_planned("other", cases=CASES)),
    baseline_cell=make_planned("apart", cases=ALONE),
)


@pytest.mark.parametrize("check", [check.id for check in CHECKS if check.by == "controller"])
def test_the_baseline_records_what_another_cell_is_compared_with(check: str) -> None:
    narrowed = narrow_checks(PLAN, (check,))
    assert [each.cases for each in narrowed.cells] == [("gold.recorded",), ("gold.recorded", check)]
    assert narrowed.baseline_cell is not None
    assert narrowed.baseline_cell.cases == ("gold.recorded",)
    assert narrowed.subset


@pytest.mark.parametrize("glob", ["l0.zero*", "l0.tiny/manual/float32", "gold.*", "*"])
def test_a_narrowed_plan_has_the_cases_that_a_process_runs(glob: str) -> None:
    narrowed = narrow_checks(PLAN, (glob,))
    run = list_measured_by("cell", select_cases(CASES, (glob,)))
    assert run
    for each in (*narrowed.cells, narrowed.baseline_cell):
        assert each is not None
        assert list_measured_by("cell", each.cases) == run
