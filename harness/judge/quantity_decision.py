"""Decide each quantity of a gate from its blocks; invalid blocks and outliers of A/A are left out. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from harness.judge.sampling import ALPHA
from harness.records import (
    CANDIDATE,
    Block,
    Interval,
    InvalidBlock,
    Quantity,
    QuantityDecision,
    QuantityOutcome,
    Speed,
)

# Blocks in which the baseline disagrees with itself: they say nothing of the candidate. Pure.
#
# Processes may get into each other's way for as long as both live. On an AMD EPYC of family 26 two of three
# processes of the same NumPy took 1.4 times as long for float16 in 10 of 150 blocks, and ending one healed
# the other; on another core it was the same. In all ten pairs the system had put NumPy's library at
# addresses whose bits 21 to 23 are equal, as they are in an eighth of all pairs (2026-11). No number of
# rounds evens that out, and one such block among the first 14 left a gate undecided.
#
# Where it is the candidate that is in the way of one process of the baseline, the two of the baseline
# differ, and by that it is told. Only they are asked, never the candidate, and only by how much they
# differ, not in which direction: so whether a block counts does not depend on what the candidate takes.

OUTLIER_FACTOR = 6
"""Times the median of all differences: of normal noise 1 block in 20,000 is out as far."""

_B = TypeVar("_B")


def exclude_outliers(blocks: Sequence[_B], control: Callable[[_B], float], threshold: float) -> list[_B]:
    """The blocks that count, in their order.

    One is left out if its processes of the baseline differ by more than the change that is to be decided,
    and by ``OUTLIER_FACTOR`` times as much as those of a typical block. A smaller difference can do no harm, and a
    machine on which all blocks differ so much has nothing to choose from.

    Args:
        blocks: of one group.
        control: the log of the ratio of the two processes.
        threshold: the ratio that a change may have, above 1.
    """
    apart = [abs(control(block)) for block in blocks]
    most = max(math.log(threshold), OUTLIER_FACTOR * statistics.median(apart)) if apart else 0.0
    return [block for block, each in zip(blocks, apart, strict=True) if each <= most]


CONTROL = "control:"
"""Before the id of a quantity: the sample, and the interval, of its A/A arm."""


def collect_samples(quantities: Sequence[Quantity], blocks: Sequence[Block]) -> dict[str, tuple[float, ...]]:
    """Log ratios, block by block: of the candidate to both of the baseline, and of these to each other.

    That is the candidate over the geometric mean of baseline and A/A arm, and the A/A arm over the baseline.
    The first lie under ``<id>``, without the blocks in which the baseline disagrees with itself (see
    ``judge.discord``); the second under ``control:<id>``, of all blocks. A quantity that a block of its group
    has no usable value of, in any arm, has no sample.
    """
    samples = {}
    for quantity in quantities:
        mine = [block for block in blocks if block.group == quantity.group]
        if mine and not _find_fault(quantity, mine):
            samples[quantity.id] = tuple(
                _log_change(quantity.id, block) for block in _without_outliers(quantity, mine)
            )
            samples[CONTROL + quantity.id] = tuple(_log_control(quantity.id, block) for block in mine)
    return samples


def decide_quantity(
    quantity: Quantity, blocks: Sequence[Block], intervals: Mapping[str, Interval]
) -> QuantityDecision:
    """Decide one quantity at a look.

    Args:
        quantity: what is decided.
        blocks: every block that the look has seen; those of other groups are left out.
        intervals: ratios under the names of ``collect_samples``, at the confidence of the look; one that is not
            there could not be had from so few blocks.
    """
    mine = [block for block in blocks if block.group == quantity.group]
    because = "no block was measured" if not mine else _find_fault(quantity, mine)
    if because:
        return make_unmeasured(quantity, because, blocks=len(mine))
    change, control = intervals.get(quantity.id), intervals.get(CONTROL + quantity.id)
    return QuantityDecision(
        quantity=quantity,
        outcome=_decide(quantity.threshold, change, control),
        baseline=statistics.median(block.baseline[quantity.id] for block in mine),
        candidate=statistics.median(block.candidate[quantity.id] for block in mine),
        change=change,
        control=control,
        blocks=len(mine),
        left_out=len(mine) - len(_without_outliers(quantity, mine)),
    )


def make_unmeasured(quantity: Quantity, because: str, *, blocks: int = 0) -> QuantityDecision:
    """The decision on a quantity that nothing can be said of, and why."""
    return QuantityDecision(quantity=quantity, outcome="unmeasured", because=because, blocks=blocks)


def summarize_speed(  # noqa: PLR0913 - one parameter a fact
    planned: Sequence[Quantity],
    decisions: Mapping[str, QuantityDecision],
    *,
    spent: float,
    budget: float,
    looks: int,
    void: Sequence[InvalidBlock] = (),
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
    every = [decisions.get(each.id) or make_unmeasured(each, "it was never come to") for each in planned]
    return Speed(
        quantities=tuple(_apply_group_control(each, every) for each in every),
        confidence=1 - ALPHA,
        spent=spent,
        budget=budget,
        looks=looks,
        void=tuple(void),
    )


def _apply_group_control(decision: QuantityDecision, every: Sequence[QuantityDecision]) -> QuantityDecision:
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


def _decide(threshold: float, change: Interval | None, control: Interval | None) -> QuantityOutcome:
    if change is None or control is None:
        return "undecided"
    if not control.low <= 1 <= control.high:  # also where it is no number
        return "control-failed"
    if change.low > threshold:
        return "regressed"
    return "passed" if change.high < threshold else "undecided"


def _log_change(quantity: str, block: Block) -> float:
    both = math.log(block.baseline[quantity]) + math.log(block.again[quantity])
    return math.log(block.candidate[quantity]) - both / 2


def _log_control(quantity: str, block: Block) -> float:
    return math.log(block.again[quantity]) - math.log(block.baseline[quantity])


def _without_outliers(quantity: Quantity, blocks: Sequence[Block]) -> list[Block]:
    return exclude_outliers(blocks, partial(_log_control, quantity.id), quantity.threshold)


def _values_of(block: Block, arm: str) -> dict[str, float]:
    return {"baseline": block.baseline, "again": block.again, "candidate": block.candidate}[arm]


def _find_fault(quantity: Quantity, blocks: Sequence[Block]) -> str:
    """The first value that cannot be used; empty where all can."""
    for block in blocks:
        for arm in ("baseline", "again", "candidate"):
            value = _values_of(block, arm).get(quantity.id)
            if value is None:
                return f"block {block.number} has no value of the arm {arm}"
            if not (math.isfinite(value) and value > 0):
                return f"block {block.number} says {value} of the arm {arm}"
    return ""


# Whether so many blocks were void that what is left of them says too little. Pure.
#
# A block is void because a process was slow beyond its limit, too large, or broken. To leave such blocks
# out is to choose among processes, and where the candidate is what fails, it is the worst of it that is
# left out: what remains must not pass. What is slower even so has regressed: equal environments fail alike,
# so leaving blocks out favours neither of them.

MAX_INVALID, MAX_INVALID_SHARE = 1, 0.05
"""Void blocks that a quantity may have: so many, or this share of its blocks, whichever is more."""

_LIMITED = {"passed", "undecided"}


def affects(void: InvalidBlock, quantity: Quantity) -> bool:
    """Whether a quantity lost a value by a void block; memory is that of all scenarios."""
    lost = quantity.unit == "B" or void.scenario in {"", quantity.id}
    return lost and void.group == quantity.group


def limit_invalid_blocks(
    decision: QuantityDecision, measured: int, void: Sequence[InvalidBlock]
) -> QuantityDecision:
    """The decision as it may stand beside void blocks, where ``measured`` of the group were not void."""
    mine = [each for each in void if affects(each, decision.quantity)]
    allowed = max(MAX_INVALID, MAX_INVALID_SHARE * (measured + len(mine)))
    if decision.outcome not in _LIMITED or len(mine) <= allowed:
        return decision
    return make_unmeasured(decision.quantity, describe_invalid_blocks(mine, measured), blocks=decision.blocks)


def limit_invalid_blocks_so_far(
    decision: QuantityDecision, measured: int, void: Sequence[InvalidBlock]
) -> QuantityDecision:
    """The decision at a look, after which more blocks may come: with these the void ones may be few.

    It is given up where so many void ones would come of an allowed share in one of a hundred gates only.
    """
    held = limit_invalid_blocks(decision, measured, void)
    if (
        held is decision
        or _binomial_tail(sum(affects(each, decision.quantity) for each in void), measured) < ALPHA
    ):
        return held
    return msgspec.structs.replace(decision, outcome="undecided")


def _binomial_tail(count: int, measured: int) -> float:
    """How probable so many void blocks or more are, if the allowed share of all blocks becomes void."""
    whole, share = count + measured, MAX_INVALID_SHARE
    return 1 - sum(math.comb(whole, k) * share**k * (1 - share) ** (whole - k) for k in range(count))


def describe_invalid_blocks(void: Sequence[InvalidBlock], measured: int) -> str:
    """How many blocks were void, whether that is the candidate's doing, and the words of the last."""
    share = f"{len(void)} of {measured + len(void)} blocks were void"
    if all(each.arms == (CANDIDATE,) for each in void):
        share += ", always by the candidate and never by the baseline"
    return f"{share}, the last because of {void[-1].void}"
