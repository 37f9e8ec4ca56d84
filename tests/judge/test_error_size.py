"""The advice beside wrong vectors names what makes an error of their size."""

from __future__ import annotations

import pytest
from support.services import broken, held, judge_service

from harness.judge.error_size import CAUSES
from harness.records import CaseResult

CONTROLS = {
    "float16-weights": 2.4e-4,
    "bfloat16-weights": 1.8e-3,
    "unmasked-pooling": 0.13,
    "no-attention-mask": 0.04,
}
CASE = "l2.parity/manual/float32"


def advise(error: float) -> str:
    def change(case: str) -> CaseResult | None:
        if case == CASE:
            return broken(case, value=error)
        if case.startswith("l2.control/float32/"):
            return held(case, value=CONTROLS[case.rpartition("/")[2]])
        return None

    judged = judge_service(change, change)
    (found,) = [each for each in judged.findings if (each.cell, each.check) == ("candidate", CASE)]
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
        if case == CASE:
            return broken(case, value=1.25e-3)
        if case.startswith("l2.control/float32/"):
            return held(case, value=1.25e-3, facts={"control": "int8-weights"})
        return None

    judged = judge_service(change, change)
    (found,) = [each for each in judged.findings if (each.cell, each.check) == ("candidate", CASE)]
    assert not found.advice.startswith("As large as")


def test_every_control_has_a_remedy() -> None:
    assert set(CAUSES) == set(CONTROLS)
