"""What an acknowledgement accepts in a gate, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.accepted_gates import SLOW, SLOWER, accept, make_accepted
from support.gate_samples import NUMPY, REPLACE, finding, make_culprit, make_question, quantity
from support.gate_sides import GOOD, cell
from support.pages import far, near
from support.runs import CASES, make_plan, make_planned
from support.runs import CHECKS as FEW_CHECKS
from support.services import CHECKS, broken

from harness.cell.interface import Check
from harness.judge.acknowledgement import decide_acknowledged, list_acceptable
from harness.judge.verdict import judge
from harness.records import (
    Acknowledgements,
    CaseResult,
    Confirmation,
    Decision,
    Expectation,
    Judgement,
    LockChange,
    Question,
)

HUB = LockChange(name="Hub_X", kind="changed", asked=True, before="1", after="2")
VECTORS, RANKING, COST = accept("vectors", "numpy"), accept("ranking", "numpy"), accept("cost", "numpy")


def decided(*lines: Any, **changes: Any) -> Decision:
    return make_accepted(*lines, **({"candidate": far} | changes))[0].decision


def accepted(decision: Decision) -> list[list[str]]:
    return [[*(case.check for case in each.findings), *each.quantities] for each in decision.acknowledged]


def unmatched(decision: Decision) -> list[str]:
    return [each.unmatched for each in decision.acknowledged]


def test_what_is_red_and_accepted_passes_and_is_recorded() -> None:
    found = decided(VECTORS, RANKING)
    assert (found.verdict, found.new, found.because) == ("pass", (), "")
    assert found.sentence == (
        "2 newly red cases are accepted; apart from them, no case is newly red in the candidate (599 cases)"
    )
    assert [each.acknowledgement for each in found.acknowledged] == [VECTORS, RANKING]
    assert accepted(found) == [["gold.vectors"], ["gold.ranking"]]
    assert unmatched(found) == ["", ""]
    answers = {each.question: each.answer for each in found.cells[1].answers}
    assert (answers["before"], answers["ranking"]) == ("no", "no"), "the answers stay what they are"


def test_nothing_changes_without_a_line() -> None:
    plain = make_accepted(candidate=far, speed=SLOWER)[0]
    assert (plain.decision.verdict, plain.decision.acknowledged) == ("regressed", ())
    assert [each.check for each in plain.decision.new] == ["gold.vectors", "gold.ranking"]


def test_another_red_finding_is_never_hidden() -> None:
    found = decided(VECTORS, speed=SLOWER)
    assert found.verdict == "regressed"
    assert [each.check for each in found.new] == ["gold.ranking"]
    assert found.sentence == (
        "1 newly red case is accepted; apart from it, 1 case is newly red in the candidate, in GOLD"
    )
    assert found.because.startswith("gold.ranking: ")
    found = decided(VECTORS, RANKING, speed=SLOWER)
    assert (found.verdict, found.new) == ("regressed", ())
    assert found.sentence.startswith(
        "2 newly red cases are accepted; apart from them, embedding one text takes 1.203"
    )


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ((COST,), [[SLOW]]),
        ((accept("cost", SLOW),), [[SLOW]]),
        ((COST, accept("cost", SLOW)), [[SLOW], [SLOW]]),
        ((accept("cost", "NumPy"),), [[SLOW]]),
    ],
)
def test_a_slower_quantity_is_accepted_by_package_or_by_scenario(lines: Any, names: list[list[str]]) -> None:
    found = decided(*lines, candidate=near, speed=SLOWER)
    assert (found.verdict, accepted(found)) == ("pass", names)
    assert found.sentence == (
        "1 quantity above its limit is accepted; apart from it, no case is newly red in the candidate "
        "(601 cases); 1 quantity of latency and memory is within the threshold"
    )


def test_the_only_quantity_may_be_accepted() -> None:
    alone = REPLACE(SLOWER, quantities=SLOWER.quantities[:1])
    found = decided(COST, candidate=near, speed=alone)
    assert (found.verdict, found.sentence.count("quantit")) == ("pass", 1)


@pytest.mark.parametrize("outcome", ["undecided", "control-failed", "unmeasured"])
def test_what_is_open_stays_open(outcome: Any) -> None:
    open_too = REPLACE(
        SLOWER, quantities=(*SLOWER.quantities, quantity("embed.openvino.float32.8", outcome=outcome))
    )
    found = decided(COST, candidate=near, speed=open_too)
    assert (found.verdict, accepted(found)) == ("inconclusive", [[SLOW]])
    only_open = REPLACE(SLOWER, quantities=open_too.quantities[1:])
    found = decided(COST, accept("cost", "embed.openvino.float32.8"), candidate=near, speed=only_open)
    why = "the verdict is inconclusive, and only what is red can be accepted"
    assert (found.verdict, unmatched(found)) == ("inconclusive", [why, why])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (accept("vectors", "torch"), "what is red of vectors is not of torch, but of numpy, gold.vectors"),
        (accept("vectors", "hub"), "what is red of vectors is not of hub, but of numpy, gold.vectors"),
        (accept("dtype", "numpy"), "nothing of dtype is red"),
        (accept("cost", "gold.vectors"), "nothing of cost is red"),
        (
            accept("before", "numpy"),
            "before is none of the questions vectors, ranking, dtype, stability, cost",
        ),
        (accept("vectors", "gold.*"), "what is red of vectors is not of gold.*, but of numpy, gold.vectors"),
    ],
)
def test_a_line_that_matches_nothing_is_told(line: Any, why: str) -> None:
    found = decided(line)
    assert (found.verdict, unmatched(found), len(found.new)) == ("regressed", [why], 2)


def test_a_line_accepts_nothing_where_nothing_is_red() -> None:
    found = decided(VECTORS, candidate=near)
    assert found.verdict == "pass"
    assert unmatched(found) == ["the verdict is pass, and only what is red can be accepted"]
    assert found.sentence == "No case is newly red in the candidate (601 cases)"


def test_a_check_or_a_case_can_be_accepted_alone() -> None:
    assert accepted(decided(accept("vectors", "gold.vectors"), RANKING)) == [
        ["gold.vectors"],
        ["gold.ranking"],
    ]

    def worse(name: str) -> CaseResult | None:
        return broken(name) if name.startswith(("l0.zero/", "l2.dtype/")) else None

    case = "l0.zero/manual/float32"
    found = decided(accept("dtype", case), candidate=worse)
    assert (found.verdict, accepted(found)) == ("regressed", [[case]])
    assert [each.check for each in found.new] == ["l2.dtype/manual/float32"]
    found = decided(accept("dtype", "l0.zero"), accept("dtype", "l2.dtype"), candidate=worse)
    assert (found.verdict, found.new) == ("pass", ())


def test_a_package_among_several_needs_the_cause() -> None:
    both: dict[str, Any] = {"candidate": near, "speed": SLOWER, "changes": (NUMPY, HUB)}
    assert decided(COST, **both).verdict == "regressed"
    cause = REPLACE(make_culprit(), looked_for=(SLOW,))
    assert decided(COST, culprit=cause, **both).verdict == "pass"
    assert decided(accept("cost", "hub-x"), culprit=cause, **both).verdict == "regressed"
    unrelated = REPLACE(cause, looked_for=("l0.zero/manual",))
    assert decided(COST, culprit=unrelated, **both).verdict == "regressed"
    other = REPLACE(cause, changes=(HUB,), looked_for=("l0.zero/manual",))
    assert decided(COST, culprit=other, **both).verdict == "regressed"
    further = REPLACE(other, further=(cause,))
    assert decided(COST, culprit=further, **both).verdict == "pass"
    pinned = (NUMPY, REPLACE(HUB, pinned=True))
    assert decided(COST, **(both | {"changes": pinned})).verdict == "pass"


def test_what_is_not_confirmed_cannot_be_accepted() -> None:
    doubt = Confirmation(
        case="gold.vectors", outcome="flaky", candidate=1, runs=3, baseline=0, baseline_runs=3
    )
    found = decided(VECTORS, RANKING, confirmations=(doubt,))
    assert (found.verdict, accepted(found)) == ("inconclusive", [[], ["gold.ranking"]])
    assert [each.check for each in found.unconfirmed] == ["gold.vectors"]


@pytest.mark.parametrize(("outcome", "count"), [("fail", 1), ("error", 1), ("missing", 0)])
def test_a_case_without_a_result_cannot_be_accepted(outcome: Any, count: int) -> None:
    new = (finding("l0.zero/manual/float32", outcome=outcome),)
    for verdict in ("regressed", "inconclusive"):
        decision = Decision(verdict=verdict, sentence="s", new=new)
        found = list(list_acceptable(decision, None, make_question(), None, CHECKS))
        assert len(found) == (count if verdict == "regressed" else 0)


def decide_with(judgement: Judgement, question: Question, checks: tuple[Check, ...]) -> Decision:
    return decide_acknowledged(
        judgement, None, question, None, accept_known=False, confirmations=(), checks=checks
    )


def test_a_red_cell_with_another_reason_than_its_cases_is_not_accepted() -> None:
    gate, run = make_accepted(VECTORS, RANKING, candidate=far)
    cells = tuple(REPLACE(each, reason="its files have changed") for each in run.judgement.cells)
    found = decide_with(REPLACE(run.judgement, cells=cells), gate.question, tuple(CHECKS))
    assert (gate.decision.verdict, found.verdict) == ("pass", "regressed")
    assert found.because == "its files have changed"


def test_a_known_divergence_that_only_the_candidate_has_can_be_accepted() -> None:
    known = Expectation(check=CASES[1], where={"numpy": ">=2"}, reason="sums in float16")
    plan = make_plan(
        make_planned("baseline", axes={"numpy": "1.26.2"}, baseline=True),
        make_planned("candidate", axes={"numpy": "2.4.6"}),
        expectations=(known,),
        subset=True,
    )
    judgement = judge(plan, (GOOD, cell("candidate", "pass", "fail", "pass", "pass")), FEW_CHECKS)
    asked = tuple(replace(each, question="dtype") for each in FEW_CHECKS)
    for lines, verdict, known_left in (((), "regressed", 1), ((accept("dtype", "numpy"),), "pass", 0)):
        question = make_question(acknowledgements=Acknowledgements(counted=lines))
        found = decide_with(judgement, question, asked)
        assert (found.verdict, len(found.known), len(found.acknowledged)) == (verdict, known_left, len(lines))
    assert found.sentence.endswith("apart from it, no case is newly red in the candidate (3 cases)")
