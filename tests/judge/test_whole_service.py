"""What a service deserves that is one function from texts to final vectors: no part of it is asked."""

from __future__ import annotations

import msgspec
import pytest
from support.runs import make_case, make_plan, make_planned, make_result
from support.services import CHECKS, Change, broken, held

from harness.cell.interface import list_checks
from harness.judge.verdict import judge
from harness.records import Judgement, Service

LISTS = "list of lists of floats"
CASES = [case for check in list_checks(CHECKS, service=True) for case in check.cases(("subject",))]
DTYPE = "l2.dtype/subject/float32"


def float16_skipped(case: str) -> bool:
    return case.startswith(("l2.", "l3.", "gold.")) and case.endswith("/float16") and "control" not in case


def judge_whole(form: str, change: Change = lambda _: None) -> Judgement:
    """Judge one cell of a service that returns vectors in this form."""
    skipped = f"the embedder returns {form}; judged as float32"
    cases = [
        make_case(case, "skip", message=skipped) if float16_skipped(case) else change(case) or held(case)
        for case in CASES
    ]
    bad = any(case.outcome == "fail" for case in cases)
    result = make_result("a", status="failed" if bad else "ok", cases=cases)
    result = msgspec.structs.replace(result, facts={"subject.texts": form})
    plan = make_plan(make_planned("a", cases=CASES, baseline=True), service=Service(service="app:embed"))
    return judge(plan, [result], CHECKS)


def answers(judged: Judgement) -> dict[str, str]:
    return {each.question: each.answer for each in judged.cells[0].answers}


YES = dict.fromkeys(("before", "reference", "ranking", "dtype", "stability"), "yes")


@pytest.mark.parametrize("form", ["float32", "float64", LISTS])
def test_every_question_is_answered_without_its_parts(form: str) -> None:
    judged = judge_whole(form)
    assert (answers(judged), judged.verdict, judged.claims) == (YES, "pass", ())


def test_lists_are_told_once_and_their_vectors_are_right() -> None:
    judged = judge_whole(LISTS, lambda case: broken(case) if case == DTYPE else None)
    assert answers(judged) == {**YES, "dtype": "no"}
    assert [each.check for each in judged.findings if each.outcome == "fail"] == [DTYPE]


def test_a_wrong_vector_is_red_in_the_dtype_that_is_served() -> None:
    parity = "l2.parity/subject/float32"
    judged = judge_whole("float32", lambda case: broken(case) if case == parity else None)
    assert (answers(judged)["reference"], judged.verdict) == ("no", "failing")


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        ({"subject.texts": "float32", "subject.served": "float32 float16"}, "breaks"),
        ({"subject.texts": "float32"}, "notes"),
    ],
)
def test_an_embedder_that_returns_either_dtype_serves_both_without_the_check_of_margins(
    facts: dict[str, str], severity: str
) -> None:
    """As in the trials of a search for the cause, which run the failed cases alone."""
    case = "l2.parity/manual/float16"
    result = msgspec.structs.replace(make_result("a", status="failed", cases=[broken(case)]), facts=facts)
    judged = judge(make_plan(make_planned("a", cases=[case], baseline=True)), [result], CHECKS)
    assert [each.severity for each in judged.findings if each.check == case] == [severity]
