"""What a reader of a gate sees first: what to do, why, the answers, and the drift of the vectors."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from support.cause_samples import HUB, OLD
from support.gate_samples import (
    NUMPY,
    REPLACE,
    finding,
    interval,
    make_culprit,
    make_gate,
    make_question,
    make_speed,
    quantity,
)
from support.pages import SAMPLE, far, make_compared, make_cost, make_decided, near
from support.services import broken

from harness.records import (
    CellVerdict,
    Culprit,
    Decision,
    Gate,
    Speed,
)
from harness.report.gate.drift import DistanceRow, RankingRow, list_distances, list_rankings, split_worst
from harness.report.gate.headline import GateHeadline, Step, find_headline, name_upgrade, view_questions
from harness.report.gate.headline import view_tiles as view_gate_tiles
from harness.report.gate.html import render_gate_html
from harness.report.headline import Tile

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

# The headline


def test_the_headline_says_what_to_do_and_why() -> None:
    gate, _ = make_compared(far, speed=make_cost(slower=True), culprit=make_culprit())
    assert find_headline(gate) == GateHeadline(
        kind="red",
        action="Do not merge",
        upgrade="numpy 1.26.2 → 2.4.6",
        faults=(
            "vectors differ from those of the baseline",
            "searches find something else",
            "embedding one text takes 20.3 % longer (limit +5 %)",
        ),
        cause="numpy 1.26.2 → 2.4.6, since 2.0.0 (last good 1.26.4)",
        steps=(Step("stay at numpy 1.26.4"),),
        news=(
            "REGRESSED (exit code 1): 2 cases are newly red in the candidate, in GOLD: "
            "gold.vectors: largest distance 0.12"
        ),
    )


def test_an_upgrade_without_a_regression_is_to_be_merged() -> None:
    gate, _ = make_compared(near, speed=make_cost())
    found = find_headline(gate)
    assert (found.kind, found.statement) == ("pass", "Merge: numpy 1.26.2 → 2.4.6")
    assert (found.new, found.cause, found.steps) == ("", "", ())


def test_the_same_fault_in_both_environments_is_nothing_new() -> None:
    def wrong(case: str) -> Any:
        return broken(case) if case == "l2.parity/manual/float32" else near(case)

    gate, run = make_compared(wrong, wrong, speed=make_cost())
    found = find_headline(gate)
    assert (found.kind, found.action) == ("xfail", "Merge, nothing new is wrong")
    (row,) = (each for each in view_questions(gate) if each.answer == "no")
    assert (row.title, row.kind, row.before, row.before_kind) == (
        *("Same vectors as the reference?", "red", "no", "red"),
    )
    assert "Nothing: no check is red in the candidate only." in render_gate_html(gate, run)


def test_a_fault_that_the_baseline_has_too_is_not_named_as_new() -> None:
    def wrong(case: str) -> Any:
        return broken(case) if case == "l2.parity/manual/float32" else None

    gate, _ = make_compared(lambda case: wrong(case) or far(case), lambda case: wrong(case) or near(case))
    found = find_headline(gate)
    assert (found.action, found.new) == (
        "Do not merge",
        "vectors differ from those of the baseline; searches find something else",
    )


@pytest.mark.parametrize(
    ("gate", "action"),
    [
        (make_decided("pass"), "Merge"),
        (make_decided("pass", judged=("correctness",)), "Merge, latency was not judged"),
        (make_decided("pass", judged=()), "Nothing to judge"),
        (
            make_decided("pass", question=make_question(arguments=("--checks", "l0.*"))),
            "Nothing new in the checks that ran",
        ),
        (make_decided("regressed"), "Do not merge"),
        (make_decided("inconclusive"), "Not decided"),
        (make_decided("unsatisfiable"), "Cannot be installed"),
        (make_decided("error"), "Not decided, the gate failed"),
        (
            make_gate(decision=REPLACE(make_gate().decision, new=()), speed=None),
            "Review before merging",
        ),
    ],
)
def test_what_a_verdict_means_for_the_pull_request(gate: Gate, action: str) -> None:
    assert find_headline(gate).action == action


def test_a_gate_without_a_decision_says_how_to_get_one() -> None:
    undecided = quantity(change=interval(1.04, 0.02), outcome="undecided")
    speed = Speed(quantities=(undecided,), confidence=0.99, spent=492.0, budget=600.0)
    cells = (CellVerdict(cell="baseline", status="ok", red=False),)
    decision = Decision(verdict="inconclusive", sentence="s", cells=cells)
    command = "harness gate numpy==2.4.6 --from 'a b.txt'"
    assert find_headline(make_gate(decision=decision, speed=speed)).steps[-1:] == (
        Step("use a larger budget", f"{command} --budget 50m"),
    )
    interrupted = make_decided("inconclusive", question=make_question())
    assert find_headline(interrupted).steps == (Step("run the gate again", command),)
    flaky = make_decided(
        "inconclusive",
        decision=REPLACE(decision, unconfirmed=(finding(),)),
        question=make_question(),
    )
    assert find_headline(flaky).steps == (
        Step("run the gate again without stored results", f"{command} --rerun"),
    )


@pytest.mark.parametrize(
    ("culprit", "cause", "step"),
    [
        (
            Culprit(sentence="s", changes=(NUMPY, HUB), alone="red"),
            "numpy 1.26.2 → 2.4.6 together with hub 3 (added)",
            "keep one of them: stay at numpy 1.26.2, or leave out hub",
        ),
        (Culprit(sentence="s", changes=(OLD,)), "old 4 (removed)", "stay at old 4"),
        (
            Culprit(sentence="s", changes=(NUMPY,), further=(Culprit(sentence="t", changes=(OLD,)),)),
            "numpy 1.26.2 → 2.4.6; old 4 (removed)",
            "stay at numpy 1.26.2, and stay at old 4",  # each explains other cases
        ),
    ],
)
def test_the_remedy_of_a_cause(culprit: Culprit, cause: str, step: str) -> None:
    found = find_headline(make_decided("regressed", culprit=culprit, question=make_question()))
    assert (found.cause, found.steps) == (cause, (Step(step),))


def test_a_search_that_was_cut_off_gives_no_advice_by_what_it_did_not_exclude() -> None:
    many = tuple(REPLACE(HUB, name=f"p{number}") for number in range(5))
    question = make_question()
    asked = REPLACE(question, diff=REPLACE(question.diff, changes=(NUMPY, *many)))
    cut_off = Culprit(sentence="s", changes=(NUMPY, *many), cut_off=True)
    found = find_headline(make_decided("regressed", culprit=cut_off, question=asked))
    assert (
        found.cause == "not narrowed down: among numpy 1.26.2 → 2.4.6, p0 3 (added), p1 3 (added) and 3 more"
    )
    assert [step.text for step in found.steps] == [
        "stay at numpy 1.26.2",
        "search longer, with what was tried",
    ]
    assert found.steps[1].command.endswith(" --culprit-budget 1h")
    one = REPLACE(cut_off, changes=(NUMPY,))
    assert find_headline(make_decided("regressed", culprit=one, question=asked)).steps == (
        Step("stay at numpy 1.26.2"),
        Step("search longer, with what was tried", found.steps[1].command),
    )


def test_an_upgrade_is_named_by_its_direct_changes() -> None:
    many = tuple(REPLACE(NUMPY, name=f"p{number}") for number in range(5))
    pinned = REPLACE(NUMPY, name="pin", pinned=True)
    question = make_question()

    def name(*changes: Any) -> str:
        return name_upgrade(
            make_decided("pass", question=REPLACE(question, diff=REPLACE(question.diff, changes=changes)))
        )

    assert name(*many, HUB, pinned) == ("p0 1.26.2 → 2.4.6, p1 1.26.2 → 2.4.6, p2 1.26.2 → 2.4.6 and 2 more")
    assert name(pinned, HUB) == "pin 1.26.2 → 2.4.6"
    assert name(HUB) == "base → base with numpy==2.4.6 (0 direct, 1 transitive)"
    assert name() == "base → base with numpy==2.4.6"


def test_a_rise_in_words() -> None:
    slow = make_cost(slower=True)

    def faults(ratio: float, unit: Literal["s", "B"]) -> tuple[str, ...]:
        (first, *_) = slow.quantities
        risen = REPLACE(first, quantity=REPLACE(first.quantity, unit=unit), change=interval(ratio, 0.1))
        return find_headline(make_gate(speed=REPLACE(slow, quantities=(risen,)))).faults[-1:]

    assert faults(2.845, "s") == ("embedding one text takes 2.8 times as long (limit 1.05)",)
    assert faults(1.2, "B") == ("embedding needs 20.0 % more memory (limit +5 %)",)
    assert faults(3.0, "B") == ("embedding needs 3.0 times the memory (limit 1.05)",)


def test_a_gate_that_is_only_slower_says_so_where_findings_are() -> None:
    gate, run = make_compared(near, speed=make_cost(slower=True))
    assert [each.because for each in view_questions(gate)[::5]] == [
        "distance 1.6e-06 (allowed: 0.0013), 1 case",
        "embedding one text takes 20.3 % longer; 1 of 2 quantities above their limits",
    ]
    assert (
        "<p>Only the cost is new: 1 quantity of latency and memory is above its limit. "
        "No other check is red in the candidate only.</p>"
    ) in render_gate_html(gate, run)


def test_what_to_do_without_a_cause() -> None:
    arguments = ("numpy==2.4.6", "--budget", "90s")
    gate = make_gate(culprit=None, question=make_question(arguments=arguments), speed=make_cost(slower=True))
    gate = REPLACE(gate, question=REPLACE(gate.question, further=None))
    assert find_headline(gate).steps == (
        Step("stay at numpy 1.26.2"),
        Step("search for the cause", "harness gate numpy==2.4.6 --budget 90s"),
    )


# Tiles, answers, drift


def test_four_numbers() -> None:
    gate, run = make_compared(far, speed=make_cost(slower=True))
    assert view_gate_tiles(gate, run) == (
        Tile("92.3x", "the allowed change of the vectors", "largest distance 0.12 of 75 texts", "red"),
        Tile("12 / 75", "queries find something else", "stored vectors have to be embedded again", "red"),
        Tile("+20.3 %", "latency of embedding one text", "+18.3 % to +22.3 %, limit +5 %", "red"),
        Tile("+2.0 %", "memory of embedding", "+1.2 % to +2.8 %, limit +10 %", "none"),
    )
    assert [each.number for each in view_gate_tiles(*make_compared(near))] == [
        "0.123 %",
        "0 / 75",
        DASH,
        DASH,
    ]
    assert view_gate_tiles(make_decided("unsatisfiable"), None) == ()


def test_questions_have_the_answers_of_both_environments() -> None:
    gate, _ = make_compared(far, speed=make_cost(slower=True))
    assert [(each.title, each.answer, each.before) for each in view_questions(gate)] == [
        ("Same vectors as before?", "no", ""),
        ("Same vectors as the reference?", "yes", "yes"),
        ("Same ranking?", "no", "yes"),
        ("Dtype and zero rows kept?", "yes", "yes"),
        ("Does it hold up?", "yes", "yes"),
        ("Cost within the limits?", "no", ""),
    ]


def test_drift() -> None:
    _, run = make_compared(far)
    assert list_distances(run)[0] == DistanceRow(
        what="the service, against the baseline",
        kind="red",
        word="beyond",
        largest="0.12",
        allowed="0.0013",
        share="92.3x",
        median="1.6e-07",
        cosine=f"1 {MINUS} 1e-08",
        beyond="30 %",
        texts="75",
        worst=("long 1.6e-06: a long text; with more", "german 1.2e-06: Autobahn"),
    )
    assert list_rankings(run) == [
        RankingRow(
            what="index and queries of the baseline",
            kind="red",
            changed="12",
            queries="75",
            new_queries="97.6 %",
            new_index="100 %",
            worst=("german 0.002: Autobahn",),
        )
    ]
    assert (list_distances(None), list_rankings(None)) == ([], [])


def test_vectors_that_were_not_compared_say_why() -> None:
    gate, run = make_compared(lambda _: None)
    lost = REPLACE(
        run,
        judgement=REPLACE(
            run.judgement,
            findings=tuple(
                REPLACE(each, outcome="error", message="no file", observation=None)
                if each.check in {"gold.vectors", "gold.ranking"}
                else each
                for each in run.judgement.findings
            ),
        ),
    )
    distance, ranking = list_distances(lost)[0], list_rankings(lost)[0]
    assert (distance.kind, distance.word, distance.largest, distance.message) == (
        *("red", "not measured", DASH, "no file"),
    )
    assert (ranking.changed, ranking.queries, ranking.message) == (DASH, DASH, "no file")
    assert [each.number for each in view_gate_tiles(REPLACE(gate, speed=make_speed()), lost)][:2] == [
        DASH
    ] * 2


@pytest.mark.parametrize("sample", ["", SAMPLE, "shape (2, 3), but should be (2, 4)"])
def test_texts_that_moved_most_keep_their_semicolons(sample: str) -> None:
    assert "; ".join(split_worst(sample)) == sample


def test_known_divergences_can_be_accepted_where_nothing_else_is_new() -> None:
    decision = msgspec.structs.replace(make_gate().decision, new=())
    gate = make_gate(decision=decision, speed=None, culprit=None, judged=("correctness",))
    assert find_headline(gate).steps[-1].text == "accept the known divergences"
    assert "accept the known divergences" not in {each.text for each in find_headline(make_gate()).steps}


def test_steps_that_exclude_each_other_are_told_as_alternatives() -> None:
    page = render_gate_html(make_gate(), None)
    assert (page.count("<strong>To do:</strong>"), page.count("<strong>Or:</strong>")) == (1, 1)
