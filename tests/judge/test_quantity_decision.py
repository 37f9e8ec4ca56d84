"""What is said of each quantity."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from support.speed_samples import EQUAL, MEMORY, SMALL

from harness.judge.quantity_decision import collect_samples, decide_quantity, make_unmeasured, summarize_speed
from harness.records import Block, Interval, Quantity, QuantityDecision, QuantityOutcome


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
    found = collect_samples((SMALL, MEMORY), (block(1), block(2, baseline=1.0, again=4.0)))
    assert found == {
        SMALL.id: pytest.approx((math.log(1.5), math.log(1.5))),  # the second against 1 and 4
        f"control:{SMALL.id}": pytest.approx((0.0, math.log(4.0))),
    }


def test_where_the_baseline_differs_grossly_from_itself_the_change_is_not_asked() -> None:
    alike = [block(number, candidate=2.0) for number in range(1, 15)]
    blocks = [*alike, block(15, again=2.5, candidate=2.5), block(16, candidate=2.5)]
    found = collect_samples((SMALL,), blocks)
    assert found[SMALL.id] == pytest.approx((0.0,) * 14 + (math.log(1.25),))
    assert found[f"control:{SMALL.id}"] == pytest.approx((0.0,) * 14 + (math.log(1.25), 0.0))
    decision = decide(EQUAL, EQUAL, blocks)
    assert (decision.blocks, decision.left_out) == (16, 1)


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
    assert collect_samples((SMALL,), blocks) == {}
    because = f"block 2 has the value {value} for the arm {arm}"
    assert decide(EQUAL, EQUAL, blocks) == make_unmeasured(SMALL, because, blocks=2)


def test_what_is_missing_is_unmeasured() -> None:
    blocks = (block(1), msgspec.structs.replace(block(7), candidate={}))
    assert decide(EQUAL, EQUAL, blocks).because == "block 7 has no value for the arm candidate"
    assert decide(EQUAL, EQUAL, ()) == make_unmeasured(SMALL, "no block was measured")
    other_group = decide_quantity(MEMORY, blocks, {MEMORY.id: EQUAL, f"control:{MEMORY.id}": EQUAL})
    assert other_group == make_unmeasured(MEMORY, "no block was measured")


def test_every_planned_quantity_has_a_decision() -> None:
    found = summarize_speed(
        (SMALL, MEMORY), {SMALL.id: decide(EQUAL, EQUAL)}, spent=9.0, budget=60.0, looks=1
    )
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
    found = summarize_speed(planned, decisions, spent=1.0, budget=2.0, looks=1).quantities
    assert tuple(each.outcome for each in found) == (*judged, "regressed", "regressed")
    reason = "2 of 4 latencies of the normalizer differ between the A/A arms"
    assert {each.because for each in found} == ({"", reason} if judged != outcomes else {""})
