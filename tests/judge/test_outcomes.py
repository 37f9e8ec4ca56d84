from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from support.runs import CASES, CHECKS, make_case, make_plan, make_planned, make_result, seen

from harness.errors import UsageError
from harness.judge.outcomes import Results, Rules, find_stale, judge_findings, satisfies
from harness.records import CaseResult, Expectation, Finding, PlannedCell

FLOAT16 = CASES[2]


def judge_one(
    *cases: CaseResult, expectations: tuple[Expectation, ...] = (), **planned: Any
) -> list[Finding]:
    plan = make_plan(make_planned(cases=(FLOAT16,), **planned), expectations=expectations)
    return list(judge_findings(plan, Results.of([make_result(cases=cases)]), CHECKS))


def one_outcome(*cases: CaseResult, expectations: tuple[Expectation, ...] = ()) -> tuple[str, str, str]:
    (finding,) = judge_one(*cases, expectations=expectations)
    return finding.outcome, finding.message, finding.expectation


def test_each_case_of_the_plan_has_a_finding_with_layer_and_advice() -> None:
    failed = make_case(FLOAT16, "fail")
    result = make_result(cases=(make_case(CASES[0]), failed, make_case(CASES[3], "skip")))
    findings = judge_findings(make_plan(make_planned()), Results.of([result]), CHECKS)
    assert [(each.check, each.layer, each.outcome, each.advice) for each in findings] == [
        ("env.versions", "ENV", "pass", ""),
        ("l0.parity/manual/float32", "L0", "missing", ""),
        ("l0.parity/manual/float16", "L0", "fail", "Use the stable normalizer."),
        ("l2.end-to-end/float32", "L2", "skip", ""),
    ]
    assert findings[2] == Finding(
        cell="a",
        check=FLOAT16,
        layer="L0",
        outcome="fail",
        message="worst error 9 ULP at (4, 7), but should be at most 2",
        advice="Use the stable normalizer.",
        observation=seen(9.0),
    )


def test_a_cell_without_a_result_owes_all_its_cases() -> None:
    plan = make_plan(make_planned("a"), make_planned("b", reason="no numpy 9 exists"))
    findings = judge_findings(plan, Results.of([]), CHECKS)
    assert {(each.cell, each.outcome, each.message) for each in findings} == {
        ("a", "missing", "no result: the cell is missing"),
        ("b", "missing", "no result: the cell is unsatisfiable"),
    }
    assert len(findings) == 2 * len(CASES)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (make_case(FLOAT16), ""),
        (make_case(FLOAT16, "fail"), ""),
        (make_case(FLOAT16, observation=seen(None, None, bound="none")), ""),
        (make_case(FLOAT16, observation=seen(2.0, 2.0, bound="equal")), ""),
        (make_case(FLOAT16, observation=seen(3.0, 2.0, bound="min")), ""),
        (make_case(FLOAT16, observation=None), "reported as pass, but nothing was measured"),
        (make_case(FLOAT16, observation=seen(None)), "reported as pass, but the value is not finite"),
        (make_case(FLOAT16, observation=seen(math.nan)), "reported as pass, but the value is not finite"),
        (make_case(FLOAT16, observation=seen(9.0)), "reported as pass, but 9 ulp should be at most 2"),
        (
            make_case(FLOAT16, observation=seen(1.0, bound="min")),
            "reported as pass, but 1 ulp should be at least 2",
        ),
        (
            make_case(FLOAT16, observation=seen(1.0, bound="equal")),
            "reported as pass, but 1 ulp should be exactly 2",
        ),
        (
            make_case(FLOAT16, observation=seen(1.0, None)),
            "reported as pass, but no allowed value is recorded (bound max)",
        ),
        (make_case(FLOAT16, "skip", message=""), "reported as skip, but without a reason"),
    ],
)
def test_an_outcome_that_its_own_numbers_contradict_is_an_error(case: CaseResult, why: str) -> None:
    assert Rules().find_contradiction(case) == why
    if why:
        excuse = (Expectation(check="*", reason="whatever"),)
        assert one_outcome(case, expectations=excuse) == ("error", why, "")


def test_expectations_turn_red_into_xfail_and_a_pass_into_xpass() -> None:
    known = (Expectation(check="l0.parity/*/float16", where={"numpy": ">=2"}, reason="sums in float16"),)
    assert one_outcome(make_case(FLOAT16, "fail"), expectations=known)[::2] == ("xfail", "sums in float16")
    assert one_outcome(make_case(FLOAT16, "skip"), expectations=known) == ("skip", "no such kernel here", "")
    assert one_outcome(make_case(FLOAT16), expectations=known) == (
        "xpass",
        "passes, but is expected to fail; remove the expectation or narrow it",
        "sums in float16",
    )
    assert one_outcome(expectations=known) == ("missing", "no result: the cell is ok", "")


def test_a_wrong_value_that_is_expected_excuses_no_exception() -> None:
    wrong = Expectation(check="l0.parity/*/float16", reason="rows become zeros")
    raises = Expectation(check="l0.parity/*/float16", outcome="error", reason="it refuses float16")
    fails, boom = make_case(FLOAT16, "fail"), make_case(FLOAT16, "error")
    assert one_outcome(boom, expectations=(wrong,)) == ("error", "ValueError: no such port", "")
    assert one_outcome(boom, expectations=(raises,))[::2] == ("xfail", "it refuses float16")
    assert one_outcome(fails, expectations=(raises,))[::2] == ("fail", "")
    assert one_outcome(boom, expectations=(wrong, raises))[::2] == ("xfail", "it refuses float16")
    assert one_outcome(fails, expectations=(raises, wrong))[::2] == ("xfail", "rows become zeros")
    assert one_outcome(make_case(FLOAT16), expectations=(raises,))[0] == "xpass"


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ({}, True),
        ({"numpy": ">=2"}, True),
        ({"numpy": "<2"}, False),
        ({"torch": "==2.13.0"}, True),
        ({"torch": "<=2.13.0"}, True),
        ({"torch": ">2.13.0"}, False),
        ({"python": ">=3.11"}, True),
        ({"python": "<3.10", "numpy": ">=2"}, False),
        ({"faiss": ">=0"}, False),
        ({"onnx": ">=1.0a1,<2"}, True),
    ],
)
def test_where_is_checked_against_the_lock(where: dict[str, str], matches: bool) -> None:  # noqa: FBT001 - a table's column
    locked = {"numpy": "2.4.6", "torch": "2.13.0+cpu", "onnx": "1.0b2"}
    known = (Expectation(check="*", where=where, reason="known"),)
    (finding,) = judge_one(make_case(FLOAT16, "fail"), expectations=known, locked=locked)
    assert finding.outcome == ("xfail" if matches else "fail")


def test_where_speaks_of_axes_where_there_is_no_lock_and_says_what_is_no_specifier() -> None:
    unsolved = make_planned(axes={"openvino": "2024.6.0"}, reason="no solution")
    plan = make_plan(
        unsolved, expectations=[Expectation(status="unsatisfiable", where={"openvino": "<2025"}, reason="r")]
    )
    assert find_stale(plan) == ()
    with pytest.raises(
        UsageError, match=r"^expectation: where: Invalid specifier: 'two'; write one like '>=2.0,<3'$"
    ):
        satisfies({"numpy": "2.0"}, {"numpy": "two"})


def test_an_expectation_of_another_matrix_does_not_apply() -> None:
    known = (Expectation(check="*", reason="known", matrix=("openvino",)),)
    assert one_outcome(make_case(FLOAT16, "fail"), expectations=known)[0] == "fail"


def test_an_expectation_of_several_checks_covers_each_and_is_stale_glob_by_glob() -> None:
    cases = ("l0.one", "l1.one", "l2.one")
    several = Expectation(check=("l0.*", "l9.*", "l1.one", "l8.*"), reason="known", where={"numpy": ">=1"})
    elsewhere = Expectation(check=("l0.*", "l2.*"), reason="known", where={"numpy": "<1"})
    plan = make_plan(make_planned(cases=cases), expectations=[several, elsewhere])
    result = make_result(
        cases=[make_case("l0.one", "fail"), make_case("l1.one"), make_case("l2.one", "fail")]
    )

    outcomes = {each.check: each.outcome for each in judge_findings(plan, Results.of([result]), ())}

    assert outcomes == {"l0.one": "xfail", "l1.one": "xpass", "l2.one": "fail"}
    assert find_stale(plan) == ("l9.*, l8.* where numpy>=1", "l0.*, l2.* where numpy<1")


def test_an_expectation_that_matches_nothing_is_stale_unless_cells_were_left_out() -> None:
    expectations = (
        Expectation(check="l0.*", reason="matches"),
        Expectation(check="l9.*", reason="no such case"),
        Expectation(check="l0.*", where={"numpy": "<1"}, reason="no such cell"),
        Expectation(status="crashed", where={"numpy": "<1", "python": "<3"}, reason="no such cell"),
        Expectation(check="l9.*", matrix=("other",), reason="not of this matrix"),
    )
    plan = make_plan(make_planned(), expectations=expectations)
    assert find_stale(plan) == ("l9.*", "l0.* where numpy<1", "status crashed where numpy<1, python<3")
    assert find_stale(make_plan(make_planned(), expectations=expectations, subset=True)) == ()
    borrowed = msgspec.structs.replace(make_plan(make_planned()), borrowed=tuple(expectations))
    assert find_stale(borrowed) == ()


def test_what_nobody_planned_or_what_comes_twice_is_an_error() -> None:
    case, stray = make_case(FLOAT16), make_case("l7.new", "fail")
    plan = make_plan(
        make_planned(cases=(FLOAT16,)), expectations=[Expectation(check="*", reason="all known")]
    )
    results = [
        make_result(cases=(case, case, stray)),
        make_result("b", cases=(case,)),
        make_result(cases=(case, case, stray), key="another"),
    ]
    found = [
        (each.cell, each.check, each.outcome, each.message)
        for each in judge_findings(plan, Results.of(results), CHECKS)
    ]
    assert found == [
        ("a", "cell", "error", "2 results for one cell, expected 1"),
        ("a", FLOAT16, "error", "reported 2 times, expected once"),
        ("a", "l7.new", "error", "unplanned: the case is not in the plan"),
        ("b", "cell", "error", "a result of a cell that is not in the plan"),
    ]


def test_a_cell_of_an_equal_lock_shares_the_result() -> None:
    twin: PlannedCell = make_planned("twin", same_as="a", cases=(FLOAT16,))
    plan = make_plan(make_planned(cases=(FLOAT16,)), twin)
    findings = judge_findings(plan, Results.of([make_result(cases=[make_case(FLOAT16)])]), CHECKS)
    assert [(each.cell, each.outcome) for each in findings] == [("a", "pass"), ("twin", "pass")]
