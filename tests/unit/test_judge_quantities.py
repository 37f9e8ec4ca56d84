"""What is said of each quantity, and of a gate that measures them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from unit.test_gate_judge import FINE, GOOD, cell, gate

from harness.gate_records import Block, Interval, Quantity, QuantityDecision, QuantityOutcome, Speed
from harness.judge.quantities import decide_quantity, judge_speed, samples_of, unmeasured

SMALL = Quantity(id="normalize.manual.float32.1", group="normalizer", unit="s", threshold=1.05)
LARGE = Quantity(id="normalize.manual.float32.256", group="normalizer", unit="s", threshold=1.05)
MEMORY = Quantity(id="memory.embedding", group="embedding", unit="B", threshold=1.10)
EQUAL = Interval(low=0.99, ratio=1.0, high=1.01)


def block(number: int, baseline: float = 2.0, again: float = 2.0, candidate: float = 3.0) -> Block:
    arms = [{SMALL.id: value} for value in (baseline, again, candidate)]
    slots = ("baseline", "again", "candidate")
    return Block(
        group="normalizer", number=number, slots=slots, baseline=arms[0], again=arms[1], candidate=arms[2]
    )


def decide(
    change: Interval | None, control: Interval | None, blocks: Sequence[Block] = (block(1), block(2))
) -> QuantityDecision:
    named = {SMALL.id: change, f"control:{SMALL.id}": control}
    return decide_quantity(SMALL, blocks, {name: each for name, each in named.items() if each is not None})


def test_samples_are_paired_within_a_block() -> None:
    found = samples_of((SMALL, MEMORY), (block(1), block(2, baseline=1.0, again=4.0)))
    assert found == {
        SMALL.id: pytest.approx((math.log(1.5), math.log(3.0))),
        f"control:{SMALL.id}": pytest.approx((0.0, math.log(4.0))),
    }


@pytest.mark.parametrize(
    ("change", "control", "outcome"),
    [
        (Interval(low=1.06, ratio=1.1, high=1.2), EQUAL, "regressed"),
        (Interval(low=0.9, ratio=1.0, high=1.04), EQUAL, "passed"),
        (Interval(low=0.5, ratio=0.6, high=0.7), EQUAL, "passed"),
        (Interval(low=1.0, ratio=1.1, high=1.2), EQUAL, "undecided"),
        (Interval(low=1.05, ratio=1.1, high=1.2), EQUAL, "undecided"),
        (Interval(low=1.0, ratio=1.02, high=1.05), EQUAL, "undecided"),
        (None, EQUAL, "undecided"),
        (EQUAL, None, "undecided"),
        (None, None, "undecided"),
        (EQUAL, Interval(low=1.01, ratio=1.02, high=1.03), "control-failed"),
        (EQUAL, Interval(low=0.9, ratio=0.95, high=0.99), "control-failed"),
        (Interval(low=1.2, ratio=1.3, high=1.4), Interval(low=1.2, ratio=1.3, high=1.4), "control-failed"),
        (EQUAL, Interval(low=math.nan, ratio=1.0, high=1.01), "control-failed"),
        (Interval(low=math.nan, ratio=math.nan, high=math.nan), EQUAL, "undecided"),
    ],
)
def test_an_interval_on_one_side_of_the_threshold_decides(
    change: Interval | None, control: Interval | None, outcome: QuantityOutcome
) -> None:
    found = decide(change, control)
    assert (found.outcome, found.change, found.control) == (outcome, change, control)
    assert (found.baseline, found.candidate, found.blocks) == (2.0, 3.0, 2)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("arm", ["baseline", "again", "candidate"])
def test_what_is_no_number_is_unmeasured(arm: str, value: float) -> None:
    blocks = (block(1), msgspec.structs.replace(block(2), **{arm: {SMALL.id: value}}))
    assert samples_of((SMALL,), blocks) == {}
    because = f"block 2 says {value} of the arm {arm}"
    assert decide(EQUAL, EQUAL, blocks) == unmeasured(SMALL, because, blocks=2)


def test_what_is_missing_is_unmeasured() -> None:
    blocks = (block(1), msgspec.structs.replace(block(7), candidate={}))
    assert decide(EQUAL, EQUAL, blocks).because == "block 7 has no value of the arm candidate"
    assert decide(EQUAL, EQUAL, ()) == unmeasured(SMALL, "no block was measured")
    other_group = decide_quantity(MEMORY, blocks, {MEMORY.id: EQUAL, f"control:{MEMORY.id}": EQUAL})
    assert other_group == unmeasured(MEMORY, "no block was measured")


def test_every_planned_quantity_has_a_decision() -> None:
    found = judge_speed((SMALL, MEMORY), {SMALL.id: decide(EQUAL, EQUAL)}, spent=9.0, budget=60.0, looks=1)
    assert [(each.quantity.id, each.outcome) for each in found.quantities] == [
        (SMALL.id, "passed"),
        (MEMORY.id, "unmeasured"),
    ]
    assert (found.confidence, found.spent, found.budget, found.looks) == (0.99, 9.0, 60.0, 1)


@pytest.mark.parametrize(
    ("outcomes", "judged"),
    [
        (
            ("control-failed", "passed", "regressed", "passed"),
            ("control-failed", "passed", "regressed", "passed"),
        ),
        (
            ("control-failed", "regressed", "control-failed", "passed"),
            ("control-failed", "control-failed", "control-failed", "control-failed"),
        ),
        (
            ("control-failed", "undecided", "control-failed", "unmeasured"),
            ("control-failed", "control-failed", "control-failed", "unmeasured"),
        ),
    ],
)
def test_where_half_of_a_group_fails_its_control_the_machine_is_at_fault(
    outcomes: tuple[QuantityOutcome, ...], judged: tuple[QuantityOutcome, ...]
) -> None:
    latencies = [msgspec.structs.replace(SMALL, id=f"normalize.{number}") for number in range(4)]
    heap = Quantity(id="memory.normalizer", group="normalizer", unit="B", threshold=1.1)
    embedding = msgspec.structs.replace(SMALL, id="embed.1", group="embedding")
    planned = (*latencies, heap, embedding)
    said: tuple[QuantityOutcome, ...] = (*outcomes, "regressed", "regressed")
    decisions = {
        each.id: QuantityDecision(quantity=each, outcome=outcome)
        for each, outcome in zip(planned, said, strict=True)
    }
    found = judge_speed(planned, decisions, spent=1.0, budget=2.0, looks=1).quantities
    assert tuple(each.outcome for each in found) == (*judged, "regressed", "regressed")
    reason = "2 of 4 latencies of the normalizer differ between processes of the baseline"
    assert {each.because for each in found} == ({"", reason} if judged != outcomes else {""})


def test_a_control_that_failed_is_named_beside_a_regression() -> None:
    third = msgspec.structs.replace(SMALL, id="normalize.third")
    planned = (SMALL, LARGE, third)
    outcomes: tuple[QuantityOutcome, ...] = ("control-failed", "regressed", "passed")
    decisions = {
        each.id: QuantityDecision(quantity=each, outcome=outcome, change=EQUAL)
        for each, outcome in zip(planned, outcomes, strict=True)
    }
    found = gate(GOOD, FINE, speed=judge_speed(planned, decisions, spent=1.0, budget=2.0, looks=1))
    assert found.verdict == "regressed"
    assert found.sentence.endswith(
        "; but normalize.manual.float32.1 differs between processes of the baseline itself"
    )


# --- the gate as a whole ---------------------------------------------------------------------


def speed(*outcomes: QuantityOutcome) -> Speed:
    decisions = {
        quantity.id: QuantityDecision(
            quantity=quantity,
            outcome=outcome,
            change=Interval(low=1.17, ratio=1.203, high=1.2411),
            control=Interval(low=1.01, ratio=1.02, high=1.03),
            because="it hung" if outcome == "unmeasured" else "",
        )
        for quantity, outcome in zip((SMALL, LARGE, MEMORY), outcomes, strict=False)
    }
    planned = (SMALL, LARGE, MEMORY)[: len(outcomes)]
    return judge_speed(planned, decisions, spent=1.0, budget=2.0, looks=1)


@pytest.mark.parametrize(
    ("outcomes", "verdict", "sentence", "because"),
    [
        (
            ("passed", "passed", "passed"),
            "pass",
            (
                "Nothing is red in the candidate that the baseline holds (4 cases); 3 quantities of "
                "latency and memory are within the threshold"
            ),
            "",
        ),
        (
            ("passed",),
            "pass",
            (
                "Nothing is red in the candidate that the baseline holds (4 cases); 1 quantity of "
                "latency and memory is within the threshold"
            ),
            "",
        ),
        (
            ("undecided", "regressed", "passed"),
            "regressed",
            "normalize.manual.float32.256 takes 1.203 (1.170 to 1.241) times as long, where 1.05 is allowed",
            "",
        ),
        (
            ("regressed", "regressed", "passed"),
            "regressed",
            (
                "normalize.manual.float32.1 takes 1.203 (1.170 to 1.241) times as long, where 1.05 is "
                "allowed; 1 more quantity has regressed"
            ),
            "",
        ),
        (
            ("control-failed", "regressed", "regressed"),
            "regressed",
            (
                "memory.embedding needs 1.203 (1.170 to 1.241) times as much memory, where 1.1 is allowed; "
                "but normalize.manual.float32.1, normalize.manual.float32.256 differ between processes of "
                "the baseline itself"
            ),
            "",
        ),
        (
            ("passed", "passed", "regressed"),
            "regressed",
            "memory.embedding needs 1.203 (1.170 to 1.241) times as much memory, where 1.1 is allowed",
            "",
        ),
        (
            ("passed", "undecided", "undecided"),
            "inconclusive",
            "2 of 3 quantities are undecided: normalize.manual.float32.256, 1.203 (1.170 to 1.241)",
            "",
        ),
        (
            ("undecided", "control-failed", "passed"),
            "inconclusive",
            (
                "2 of 3 quantities differ between processes of the baseline itself: "
                "normalize.manual.float32.256, 1.020 (1.010 to 1.030)"
            ),
            "",
        ),
        (
            ("control-failed", "undecided", "unmeasured"),
            "inconclusive",
            "1 of 3 quantities could not be measured: memory.embedding, 1.203 (1.170 to 1.241)",
            "it hung",
        ),
        ((), "inconclusive", "No quantity of latency or memory was measured", ""),
    ],
)
def test_the_worst_quantity_speaks_for_the_gate(
    outcomes: tuple[QuantityOutcome, ...], verdict: str, sentence: str, because: str
) -> None:
    found = gate(GOOD, FINE, speed=speed(*outcomes))
    assert (found.verdict, found.sentence, found.because) == (verdict, sentence, because)


def test_speed_never_betters_what_correctness_says() -> None:
    red = cell("candidate", "fail", "pass", "pass", "pass", status="failed")
    for outcome in ("passed", "regressed", "undecided"):
        assert gate(GOOD, red, speed=speed(outcome)) == gate(GOOD, red)
    lost = cell("baseline", status="timed-out")
    assert gate(lost, FINE, speed=speed("passed")) == gate(lost, FINE)
    assert gate(lost, FINE).verdict == "inconclusive"
    assert gate(lost, FINE, speed=speed("regressed")).verdict == "regressed"
