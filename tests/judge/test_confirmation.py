"""Which newly red cases are confirmed by repeats, and what a decision makes of the others."""

from __future__ import annotations

from typing import Any

import pytest
from support.runs import make_plan, make_planned, make_result
from support.services import CHECKS, Change, broken, cases_of, held, result

from harness.cell.interface import MARGIN_CHECK, list_measured_by, select_cases
from harness.judge.confirmation import confirm, list_repeatable
from harness.judge.gate_verdict import decide
from harness.judge.verdict import judge
from harness.records import CaseResult, CellResult, Confirmation, Decision, Expectation

RANKED, HUGE = "l3.top10/manual/float32", "l0.huge/manual/float32"
KNOWN = Expectation(check=RANKED, where={"numpy": ">2"}, reason="known of NumPy 2")
OF_BOTH = Expectation(check=RANKED, reason="known")


def fails(*cases: str) -> Change:
    return lambda case: broken(case) if case in cases else None


def repeat(cell: str, change: Change, *cases: str) -> CellResult:
    """The result of a process that ran these cases only, and those that their judgement needs."""
    whole = result(cell, change)
    chosen = select_cases([case.id for case in whole.cases], cases)
    return make_result(cell, cases=[case for case in whole.cases if case.id in chosen])


def gate(
    before: Change,
    after: Change,
    *repeats: tuple[Change, Change],
    expectations: tuple[Expectation, ...] = (),
) -> Decision:
    """Decide on two cells whose newly red cases ran again: a pair of repeats is baseline and candidate."""
    alone = list_measured_by("cell", cases_of())  # the baseline is not compared with itself
    cells = (
        make_planned("baseline", cases=alone, baseline=True, axes={"numpy": "1.26.2"}),
        make_planned("candidate", cases=cases_of(), axes={"numpy": "2.4.6"}),
    )
    plan = make_plan(*cells, expectations=expectations, subset=True)
    results = (repeat("baseline", before, *alone), result("candidate", after))
    judged = judge(plan, results, CHECKS)
    first = decide(judged)
    cases = list_repeatable(first, plan)
    left = [(repeat("baseline", old, *cases), repeat("candidate", new, *cases)) for old, new in repeats]
    found = confirm(plan, results, first, left, CHECKS)
    return decide(judged, confirmations=found, checks=CHECKS)


def fine(_: str) -> None:
    return None


def counted(outcome: Any, candidate: int, baseline: int = 0, **changes: Any) -> Confirmation:
    values: dict[str, Any] = {"case": RANKED, "runs": 3, "baseline_runs": 3, "because": ""} | changes
    return Confirmation(outcome=outcome, candidate=candidate, baseline=baseline, **values)


RED = fails(RANKED)
MOVED = "gold.vectors"


def test_vectors_that_move_in_the_baseline_too_are_flaky() -> None:
    moved = fails(MOVED)
    confirmed = gate(fine, moved, (fine, moved), (fine, moved))
    assert confirmed.confirmations == (counted("confirmed", 3, case=MOVED),)
    assert (confirmed.verdict, [each.check for each in confirmed.new]) == ("regressed", [MOVED])
    flaky = gate(fine, moved, (fine, moved), (moved, moved))
    assert (flaky.verdict, flaky.confirmations) == ("inconclusive", (counted("flaky", 3, 1, case=MOVED),))


@pytest.mark.parametrize(
    ("repeats", "expectations", "verdict", "found"),
    [
        (((fine, RED),) * 2, (), "regressed", counted("confirmed", 3)),
        (((fine, RED), (fine, fine)), (), "inconclusive", counted("flaky", 2)),
        (((RED, RED), (fine, RED)), (), "inconclusive", counted("flaky", 3, 1)),
        (((fine, RED),) * 2, (KNOWN,), "regressed", counted("confirmed", 3)),
        (((fine, RED), (fine, fine)), (KNOWN,), "inconclusive", counted("flaky", 2)),
        (
            ((fine, RED),),
            (),
            "inconclusive",
            counted("unconfirmed", 2, runs=2, baseline_runs=2, because="it was run again 1 of 2 times"),
        ),
        (
            (),
            (),
            "inconclusive",
            counted("unconfirmed", 1, runs=1, baseline_runs=1, because="it was run again 0 of 2 times"),
        ),
    ],
)
def test_a_case_is_confirmed_if_it_is_red_in_every_run_of_the_candidate_alone(
    repeats: tuple[tuple[Change, Change], ...],
    expectations: tuple[Expectation, ...],
    verdict: str,
    found: Confirmation,
) -> None:
    decision = gate(fine, RED, *repeats, expectations=expectations)
    assert (decision.verdict, decision.confirmations) == (verdict, (found,))
    listed = decision.unconfirmed if verdict == "inconclusive" else (*decision.new, *decision.known)
    assert [each.check for each in listed] == [RANKED]


def test_an_unexpected_pass_is_confirmed_by_passes_only() -> None:
    confirmed = gate(RED, fine, (RED, fine), (RED, fine), expectations=(OF_BOTH,))
    assert confirmed.confirmations == (counted("confirmed", 3),)
    flaky = gate(RED, fine, (RED, fine), (RED, RED), expectations=(OF_BOTH,))
    assert (flaky.verdict, flaky.confirmations) == ("inconclusive", (counted("flaky", 2),))


def test_limits_and_notes_are_not_run_again() -> None:
    decision = gate(fine, fails(HUGE, "l0.zero/manual/float16"))
    assert (decision.verdict, decision.confirmations) == ("pass", ())


def test_a_limit_that_only_a_flaky_margin_makes_red_is_flaky() -> None:
    def near(case: str) -> CaseResult | None:
        usual = held(case).observation
        if not case.startswith(f"{MARGIN_CHECK}/") or usual is None:
            return fails(HUGE)(case)
        return held(case, facts=usual.facts | {"up": 1.5})

    far = fails(HUGE)
    flaky = gate(far, near, (far, near), (far, far))
    assert (flaky.verdict, flaky.confirmations) == ("inconclusive", (counted("flaky", 2, case=HUGE),))
    confirmed = gate(far, near, (far, near), (far, near))
    assert (confirmed.verdict, confirmed.confirmations) == (
        "regressed",
        (counted("confirmed", 3, case=HUGE),),
    )


def test_a_confirmed_case_fails_the_gate_beside_a_flaky_one() -> None:
    other = "rt.threads"
    both = fails(RANKED, other)
    decision = gate(fine, both, (fine, both), (fine, RED))
    assert decision.sentence == (
        "1 case is newly red in the candidate in 3 of 3 runs, in L3; "
        "1 newly red case is flaky: red in 2 of 3 runs"
    )
    assert [each.check for each in decision.new] == [RANKED]
    assert [each.check for each in decision.unconfirmed] == [other]


def test_a_question_with_a_flaky_case_has_no_answer() -> None:
    decision = gate(fine, RED, (fine, fine), (fine, RED))
    shown = {each.question: (each.answer, each.because) for each in decision.cells[1].answers}
    assert shown["ranking"] == ("not measured", f"{RANKED}: red in 2 of 3 runs, flaky")
    assert shown["reference"][0] == "yes"
    confirmed = gate(fine, RED, (fine, RED), (fine, RED))
    assert {each.question: each.answer for each in confirmed.cells[1].answers}["ranking"] == "no"
