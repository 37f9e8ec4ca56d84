"""How many blocks may be void, and what is said of quantities where more are."""

from __future__ import annotations

import msgspec
import pytest
from support.speed_samples import EQUAL, LARGE, MEMORY, SMALL, void

from harness.gate.measuring import MAX_CONSECUTIVE_INVALID, SpeedDecisions
from harness.judge.alpha_spending import find_next_analysis
from harness.judge.quantity_decision import affects, limit_invalid, make_unmeasured
from harness.records import Block, Quantity, QuantityDecision, QuantityOutcome

ALL_MEMORY = Quantity(id="memory.normalizer", group="normalizer", unit="B", threshold=1.1)


def decision(outcome: QuantityOutcome = "passed") -> QuantityDecision:
    return QuantityDecision(quantity=SMALL, outcome=outcome, change=EQUAL, control=EQUAL, blocks=14)


@pytest.mark.parametrize(
    ("measured", "count", "held"),
    [
        (14, 0, False),
        (14, 1, False),
        (0, 1, False),
        (14, 2, True),
        (37, 2, True),
        (38, 2, False),
        (57, 4, True),
    ],
)
def test_one_void_block_or_one_in_twenty_may_be(measured: int, count: int, *, held: bool) -> None:
    found = limit_invalid(decision(), measured, [void(number) for number in range(count)])
    told = (
        f"{count} of {measured + count} blocks were invalid, all because of the candidate; "
        "the last reason: it hung"
    )
    assert found == (make_unmeasured(SMALL, told, blocks=14) if held else decision())


@pytest.mark.parametrize("outcome", ["regressed", "control-failed", "unmeasured"])
def test_what_would_not_pass_anyway_stays(outcome: QuantityOutcome) -> None:
    assert limit_invalid(decision(outcome), 3, [void()] * 6) == decision(outcome)


def test_the_candidate_is_blamed_only_where_no_other_arm_failed() -> None:
    for other in (("baseline",), ("again", "candidate"), ()):
        blocks = [void(1), void(2), msgspec.structs.replace(void(3), arms=other)]
        assert limit_invalid(decision(), 13, blocks).because == (
            "3 of 16 blocks were invalid; the last reason: it hung"
        )


def test_what_could_not_be_measured_alone_costs_that_and_memory() -> None:
    block = void(scenario=SMALL.id)
    found = [affects(block, each) for each in (SMALL, LARGE, ALL_MEMORY, MEMORY)]
    assert found == [True, False, True, False]
    assert [affects(void(), each) for each in (SMALL, LARGE, ALL_MEMORY, MEMORY)] == [
        True,
        True,
        True,
        False,
    ]


def test_rows_of_void_blocks_are_counted_by_group_arms_and_scenario() -> None:
    decisions = SpeedDecisions((SMALL, LARGE, MEMORY))
    embedding = msgspec.structs.replace(void(), group="embedding")
    for block in (void(), void(2, "baseline"), embedding, void(3, scenario=SMALL.id)):
        for _ in range(MAX_CONSECUTIVE_INVALID - 1):
            decisions.add_invalid(block, 0)
    assert decisions.decided == {}
    decisions.reset_consecutive("normalizer")
    decisions.add_invalid(void(scenario=SMALL.id), 1)
    assert decisions.decided == {}
    decisions.add_invalid(embedding, 0)
    assert list(decisions.decided) == [MEMORY.id]
    assert decisions.decided[MEMORY.id].because.startswith("3 of 3 blocks were invalid")


def test_a_pass_of_an_earlier_look_does_not_outlive_void_blocks() -> None:
    decisions = SpeedDecisions((SMALL,), {SMALL.id: decision()}, invalid=[void(20), void(21), void(22)])
    found = decisions.summarize(spent=1.0, budget=2.0, measured={"normalizer": 14})
    assert [each.outcome for each in found.quantities] == ["unmeasured"]
    assert found.void == tuple(decisions.invalid)


def test_early_void_blocks_leave_a_quantity_open() -> None:
    """Two of sixteen are too many; with more blocks they would be few."""

    def look(count: int, ratio: float, void_blocks: int) -> str:
        values = {"again": 1.0, "baseline": 1.0, "candidate": ratio}
        blocks = [
            Block(
                group="normalizer",
                number=number,
                slots=("baseline", "again", "candidate"),
                seconds=1.0,
                **{arm: {SMALL.id: value * (1 + number % 3 / 1000)} for arm, value in values.items()},
            )
            for number in range(void_blocks, void_blocks + count)
        ]
        decisions = SpeedDecisions((SMALL,), invalid=[void(number) for number in range(void_blocks)])
        decisions.analyze("normalizer", blocks, find_next_analysis(count - 1))
        return decisions.decided[SMALL.id].outcome

    assert look(14, 1.0, 2) == "undecided"
    assert look(14, 1.0, 6) == "unmeasured", "six of twenty are not one of twenty"
    assert look(14, 1.0, 1) == "passed"
    assert look(48, 1.0, 2) == "passed"
    assert look(14, 1.2, 2) == "regressed"


def test_what_was_never_looked_at_says_how_much_of_it_there_is() -> None:
    found = SpeedDecisions((SMALL, MEMORY)).summarize(spent=1.0, budget=2.0, measured={"normalizer": 13})
    assert [(each.outcome, each.blocks) for each in found.quantities] == [("undecided", 13), ("undecided", 0)]
