from __future__ import annotations

from support.runs import make_case, make_plan, make_planned, make_result, make_run

from harness.cell.interface import Check
from harness.records import CaseResult, Observation
from harness.report.checks import find_differences

CHECKS = (
    Check("api.names", "API", "t", "a", ("name",), severity="notes"),
    Check("api.promotion", "API", "t", "a", ("recipe", "dtype"), bounds=(("else", "none"),)),
)
NAMED, PROMOTED, KEPT = "api.names/a", "api.promotion/max-eps/float16", "api.promotion/vecdot/float16"


def recorded(case: str, text: str) -> CaseResult:
    seen = Observation(value=1.0, unit="bytes an element", facts={"dtype": text})
    return make_case(case, observation=seen)


def test_a_recipe_whose_dtype_changes_stands_first() -> None:
    cases = (NAMED, PROMOTED, KEPT)
    plan = make_plan(*(make_planned(cell, cases=cases, baseline=cell == "one") for cell in ("one", "two")))
    results = (
        make_result(cell, cases=[recorded(NAMED, cell), recorded(PROMOTED, dtype), recorded(KEPT, "float16")])
        for cell, dtype in (("one", "float16"), ("two", "float64"))
    )
    found = find_differences(make_run(plan, *results, checks=CHECKS))
    assert [each.case for each in found] == [PROMOTED, NAMED]
    assert [seen.sample for seen in found[0].values] == ["dtype: float16", "dtype: float64"]
