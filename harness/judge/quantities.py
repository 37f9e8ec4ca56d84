"""What is said of each quantity, from blocks and intervals; what is no number never passes. Pure.

The unit of a decision is the process. A block gives one log of a ratio of the candidate to both processes of
the baseline, and one of those two to each other, so that noise that all share cancels.

The candidate is held against the mean of both, since that has a quarter less variance than against one of
them. With one process on one side and two on the other the noise of equal arms is not exactly symmetric about
0, as it is for the control. What rests on the change lies a threshold away from there; ``nox -s prove``
counts how often it is wrong, also at the threshold itself.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from harness.gate_records import (
    Block,
    Interval,
    Quantity,
    QuantityDecision,
    QuantityOutcome,
    Speed,
    VoidBlock,
)
from harness.judge.discord import leave_out
from harness.judge.sampling import ALPHA

CONTROL = "control:"
"""Before the id of a quantity: the sample, and the interval, of its A/A arm."""


def samples_of(quantities: Sequence[Quantity], blocks: Sequence[Block]) -> dict[str, tuple[float, ...]]:
    """Log ratios, block by block: of the candidate to both of the baseline, and of these to each other.

    That is the candidate over the geometric mean of baseline and A/A arm, and the A/A arm over the baseline.
    The first lie under ``<id>``, without the blocks in which the baseline disagrees with itself (see
    ``judge.discord``); the second under ``control:<id>``, of all blocks. A quantity that a block of its group
    has no usable value of, in any arm, has no sample.
    """
    samples = {}
    for quantity in quantities:
        mine = [block for block in blocks if block.group == quantity.group]
        if mine and not _fault(quantity, mine):
            samples[quantity.id] = tuple(_change(quantity.id, block) for block in _agreeing(quantity, mine))
            samples[CONTROL + quantity.id] = tuple(_control(quantity.id, block) for block in mine)
    return samples


def decide_quantity(
    quantity: Quantity, blocks: Sequence[Block], intervals: Mapping[str, Interval]
) -> QuantityDecision:
    """Decide one quantity at a look.

    Args:
        quantity: what is decided.
        blocks: every block that the look has seen; those of other groups are left out.
        intervals: ratios under the names of ``samples_of``, at the confidence of the look; one that is not
            there could not be had from so few blocks.
    """
    mine = [block for block in blocks if block.group == quantity.group]
    because = "no block was measured" if not mine else _fault(quantity, mine)
    if because:
        return unmeasured(quantity, because, blocks=len(mine))
    change, control = intervals.get(quantity.id), intervals.get(CONTROL + quantity.id)
    return QuantityDecision(
        quantity=quantity,
        outcome=_outcome(quantity.threshold, change, control),
        baseline=statistics.median(block.baseline[quantity.id] for block in mine),
        candidate=statistics.median(block.candidate[quantity.id] for block in mine),
        change=change,
        control=control,
        blocks=len(mine),
        left_out=len(mine) - len(_agreeing(quantity, mine)),
    )


def unmeasured(quantity: Quantity, because: str, *, blocks: int = 0) -> QuantityDecision:
    """The decision on a quantity that nothing can be said of, and why."""
    return QuantityDecision(quantity=quantity, outcome="unmeasured", because=because, blocks=blocks)


def judge_speed(  # noqa: PLR0913 - one parameter a fact
    planned: Sequence[Quantity],
    decisions: Mapping[str, QuantityDecision],
    *,
    spent: float,
    budget: float,
    looks: int,
    void: Sequence[VoidBlock] = (),
) -> Speed:
    """Latency and memory as a whole: every planned quantity has a decision, in the order of the plan.

    Args:
        planned: what the gate promised to decide.
        decisions: by the id of the quantity; one that is not there is unmeasured.
        spent: seconds that the sampling took.
        budget: seconds that it was allowed.
        looks: how often the blocks were looked at.
        void: the blocks that could not be used.
    """
    every = [decisions.get(each.id) or unmeasured(each, "it was never come to") for each in planned]
    return Speed(
        quantities=tuple(_distrust(each, every) for each in every),
        confidence=1 - ALPHA,
        spent=spent,
        budget=budget,
        looks=looks,
        void=tuple(void),
    )


def _distrust(decision: QuantityDecision, every: Sequence[QuantityDecision]) -> QuantityDecision:
    """Nothing is said of a latency where half of those of its group fail their control: that is the machine.

    Memory has no part in it: a busy machine makes nothing larger.
    """
    what = decision.quantity
    mine = [e for e in every if (e.quantity.group, e.quantity.unit) == (what.group, "s")]
    failed = sum(each.outcome == "control-failed" for each in mine)
    if what.unit != "s" or 2 * failed < len(mine) or decision.outcome in {"control-failed", "unmeasured"}:
        return decision
    because = (
        f"{failed} of {len(mine)} latencies of the {what.group} differ between processes of the baseline"
    )
    return msgspec.structs.replace(decision, outcome="control-failed", because=because)


def _outcome(threshold: float, change: Interval | None, control: Interval | None) -> QuantityOutcome:
    if change is None or control is None:
        return "undecided"
    if not control.low <= 1 <= control.high:  # also where it is no number
        return "control-failed"
    if change.low > threshold:
        return "regressed"
    return "passed" if change.high < threshold else "undecided"


def _change(quantity: str, block: Block) -> float:
    both = math.log(block.baseline[quantity]) + math.log(block.again[quantity])
    return math.log(block.candidate[quantity]) - both / 2


def _control(quantity: str, block: Block) -> float:
    return math.log(block.again[quantity]) - math.log(block.baseline[quantity])


def _agreeing(quantity: Quantity, blocks: Sequence[Block]) -> list[Block]:
    return leave_out(blocks, partial(_control, quantity.id), quantity.threshold)


def _arm(block: Block, arm: str) -> dict[str, float]:
    return {"baseline": block.baseline, "again": block.again, "candidate": block.candidate}[arm]


def _fault(quantity: Quantity, blocks: Sequence[Block]) -> str:
    """The first value that cannot be used; empty where all can."""
    for block in blocks:
        for arm in ("baseline", "again", "candidate"):
            value = _arm(block, arm).get(quantity.id)
            if value is None:
                return f"block {block.number} has no value of the arm {arm}"
            if not (math.isfinite(value) and value > 0):
                return f"block {block.number} says {value} of the arm {arm}"
    return ""
