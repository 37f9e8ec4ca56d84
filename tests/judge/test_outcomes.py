from __future__ import annotations

import math
from typing import Any

import pytest
from support.runs import CASES, CHECKS, make_case, make_plan, make_planned, make_result, seen
from support.services import broken, held, judge_service

from harness.judge.outcomes import CAUSES, Results, Rules, judge_findings
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


def test_an_expectation_of_another_matrix_does_not_apply() -> None:
    known = (Expectation(check="*", reason="known", matrix=("openvino",)),)
    assert one_outcome(make_case(FLOAT16, "fail"), expectations=known)[0] == "fail"


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


# The advice beside wrong vectors: what makes an error of their size.

CONTROLS = {
    "float16-weights": 2.4e-4,
    "bfloat16-weights": 1.8e-3,
    "unmasked-pooling": 0.13,
    "no-attention-mask": 0.04,
}
PARITY = "l2.parity/manual/float32"


def advise(error: float) -> str:
    def change(case: str) -> CaseResult | None:
        if case == PARITY:
            return broken(case, value=error)
        if case.startswith("l2.control/float32/"):
            return held(case, value=CONTROLS[case.rpartition("/")[2]])
        return None

    judged = judge_service(change, change)
    (found,) = [each for each in judged.findings if (each.cell, each.check) == ("candidate", PARITY)]
    return found.advice


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (1.25e-3, "bfloat16-weights"),
        (2.1e-4, "float16-weights"),
        (0.1, "unmasked-pooling"),
        (0.035, "no-attention-mask"),
    ],
)
def test_an_error_of_the_size_of_a_control_has_its_remedy(error: float, fault: str) -> None:
    assert advise(error) == f"As large as {CAUSES[fault]}."


@pytest.mark.parametrize("error", [1e-5, 0.9])
def test_an_error_of_another_size_has_the_usual_advice(error: float) -> None:
    assert advise(error).startswith("If l1.hidden and l0 pass, look at tokenization and pooling")


def test_a_control_that_stands_in_for_another_explains_nothing() -> None:
    def change(case: str) -> CaseResult | None:
        if case == PARITY:
            return broken(case, value=1.25e-3)
        if case.startswith("l2.control/float32/"):
            return held(case, value=1.25e-3, facts={"control": "int8-weights"})
        return None

    judged = judge_service(change, change)
    (found,) = [each for each in judged.findings if (each.cell, each.check) == ("candidate", PARITY)]
    assert not found.advice.startswith("As large as")


def test_every_control_has_a_remedy() -> None:
    assert set(CAUSES) == set(CONTROLS)
