"""What holds of the judgement of any run at all."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from support.runs import CASES, CHECKS, make_case, make_plan, make_planned, make_result

from harness.judge.verdict import judge
from harness.records import CellResult, CellStatus, CheckOutcome, Expectation, Plan, PlannedCell

outcomes: st.SearchStrategy[CheckOutcome | None] = st.sampled_from(["pass", "fail", "error", "skip", None])
statuses = st.sampled_from(get_args(CellStatus))
names = ("base", "a", "b")


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[Plan, list[CellResult]]:
    results: list[CellResult] = []
    planned: list[PlannedCell] = [
        make_planned(name, baseline=name == "base", reason=draw(st.sampled_from(["", "", "no"])))
        for name in draw(st.lists(st.sampled_from(names), unique=True))
    ]
    for name in draw(st.lists(st.sampled_from(names))):
        told = [(case, draw(outcomes)) for case in CASES]
        cases = [make_case(case, outcome) for case, outcome in told if outcome is not None]
        results.append(make_result(name, status=draw(statuses), cases=cases))
    globs = draw(st.lists(st.sampled_from(["*", "l0.*", "l9.*"]), max_size=1))
    return make_plan(
        *planned, expectations=[Expectation(check=glob, reason="known") for glob in globs]
    ), results


@given(sweeps(), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_nothing_vanishes(
    sweep: tuple[Plan, list[CellResult]], random: object
) -> None:
    plan, results = sweep
    judgement = judge(plan, results, CHECKS)
    shuffled = list(results)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert judge(plan, shuffled, CHECKS) == judgement
    found = {(each.cell, each.check): each.outcome for each in judgement.findings}
    reported = {(result.cell, case.id) for result in results for case in result.cases}
    for planned in plan.cells:
        for case in planned.cases:
            owed = (planned.cell.id, case)
            assert owed in found
            assert (found[owed] == "missing") == (owed not in reported) or len(results) > len(
                {r.cell for r in results}
            )
    if judgement.verdict == "pass":
        assert results
        assert plan.cells
        assert not [cell for cell in judgement.cells if cell.red]
        assert not judgement.stale_expectations


@given(sweeps())
def test_without_results_there_is_never_a_pass(sweep: tuple[Plan, list[CellResult]]) -> None:
    plan, results = sweep
    assert judge(plan, [], CHECKS).verdict != "pass"
    assert judge(make_plan(), results, CHECKS).verdict == "error"
