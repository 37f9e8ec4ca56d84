"""Decide each quantity of a gate from its blocks, without invalid blocks and outliers of A/A."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from harness.judge.alpha_spending import ALPHA
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

# Excluded blocks: the A/A ratio is an outlier.
#
# Two processes can slow each other down while both are alive. On an AMD EPYC of family 26, two of three
# processes of the same NumPy took 1.4 times as long for float16 in 10 of 150 blocks. It ended with either
# process, and was the same on another core. In all ten pairs the library of NumPy was mapped at addresses
# with equal bits 21 to 23, as in an eighth of all pairs (2026-11). More rounds do not average that out: one
# such block among the first 14 left a gate undecided.
#
# If the candidate slows down one process of the baseline, the A/A ratio shows it. Exclusion uses only the
# size of the A/A ratio, not its direction and not the candidate, so it cannot bias the candidate.

OUTLIER_FACTOR = 6
"""Limit in medians of all A/A differences; 1 block in 20,000 of normal noise exceeds it."""

_B = TypeVar("_B")


def exclude_outliers(blocks: Sequence[_B], control: Callable[[_B], float], threshold: float) -> list[_B]:
    """Exclude blocks whose A/A ratio is an outlier; the order is kept.

    An outlier exceeds both the threshold and ``OUTLIER_FACTOR`` times the median A/A difference. Smaller
    differences do no harm, and a machine with large differences in all blocks has no outliers.

    Args:
        blocks: of one group.
        control: log of the A/A ratio of a block.
        threshold: largest allowed ratio of a change, above 1.
    """
    differences = [abs(control(block)) for block in blocks]
    limit = max(math.log(threshold), OUTLIER_FACTOR * statistics.median(differences)) if differences else 0.0
    return [block for block, each in zip(blocks, differences, strict=True) if each <= limit]


CONTROL = "control:"
"""Prefix of the id of a quantity, for the sample and the interval of its A/A arm."""


def collect_samples(quantities: Sequence[Quantity], blocks: Sequence[Block]) -> dict[str, tuple[float, ...]]:
    """Collect the log ratios of all blocks: those of the candidate, and those of the A/A arm.

    ``<id>``: the candidate over the geometric mean of baseline and A/A arm, without outliers.
    ``control:<id>``: the A/A arm over the baseline, of all blocks. A quantity with an unusable value in any
    block of its group has no sample.
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
    """Decide one quantity in an interim analysis.

    Args:
        quantity: the quantity to decide.
        blocks: every block of the analysis; those of other groups are ignored.
        intervals: ratios by the names of ``collect_samples``, at the confidence of the analysis; an interval
            is missing if there are too few blocks for it.
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
    """Make the decision on a quantity that could not be measured, with the reason."""
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
    """Summarize latency and memory: one decision per planned quantity, in the order of the plan.

    Args:
        planned: the quantities of the gate.
        decisions: by the id of the quantity; a missing one is unmeasured.
        spent: seconds that the sampling took.
        budget: seconds that it was allowed.
        looks: number of interim analyses.
        void: the invalid blocks.
    """
    every = [decisions.get(each.id) or make_unmeasured(each, "it was not reached") for each in planned]
    return Speed(
        quantities=tuple(_apply_group_control(each, every) for each in every),
        confidence=1 - ALPHA,
        spent=spent,
        budget=budget,
        looks=looks,
        void=tuple(void),
    )


def _apply_group_control(decision: QuantityDecision, every: Sequence[QuantityDecision]) -> QuantityDecision:
    """Fail the control of a latency if half of the latencies of its group fail theirs: the machine is noisy.

    Memory is exempt: a busy machine does not change it.
    """
    what = decision.quantity
    mine = [e for e in every if (e.quantity.group, e.quantity.unit) == (what.group, "s")]
    failed = sum(each.outcome == "control-failed" for each in mine)
    if what.unit != "s" or 2 * failed < len(mine) or decision.outcome in {"control-failed", "unmeasured"}:
        return decision
    because = f"{failed} of {len(mine)} latencies of the {what.group} differ between the A/A arms"
    return msgspec.structs.replace(decision, outcome="control-failed", because=because)


def _decide(threshold: float, change: Interval | None, control: Interval | None) -> QuantityOutcome:
    if change is None or control is None:
        return "undecided"
    if not control.low <= 1 <= control.high:  # also true for NaN
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
    """Describe the first unusable value; empty if there is none."""
    for block in blocks:
        for arm in ("baseline", "again", "candidate"):
            value = _values_of(block, arm).get(quantity.id)
            if value is None:
                return f"block {block.number} has no value for the arm {arm}"
            if not (math.isfinite(value) and value > 0):
                return f"block {block.number} has the value {value} for the arm {arm}"
    return ""


# The limit on invalid blocks.
#
# A block is invalid if a process exceeded its time or memory limit, or failed. Excluding blocks selects
# processes: if the candidate fails, its worst processes are excluded, so the others must not pass. A
# regression still stands: equal environments fail alike, so the exclusion favours neither of them.

MAX_INVALID, MAX_INVALID_SHARE = 1, 0.05
"""Invalid blocks that a quantity may have: this number or this share, whichever is more."""

_LIMITED = {"passed", "undecided"}


def affects(void: InvalidBlock, quantity: Quantity) -> bool:
    """Whether an invalid block cost a quantity a value; memory needs all scenarios of a block."""
    lost = quantity.unit == "B" or void.scenario in {"", quantity.id}
    return lost and void.group == quantity.group


def limit_invalid(
    decision: QuantityDecision, measured: int, void: Sequence[InvalidBlock]
) -> QuantityDecision:
    """Make a decision unmeasured if too many blocks are invalid; ``measured`` counts the valid ones."""
    mine = [each for each in void if affects(each, decision.quantity)]
    allowed = max(MAX_INVALID, MAX_INVALID_SHARE * (measured + len(mine)))
    if decision.outcome not in _LIMITED or len(mine) <= allowed:
        return decision
    return make_unmeasured(decision.quantity, describe_invalid_blocks(mine, measured), blocks=decision.blocks)


def limit_invalid_so_far(
    decision: QuantityDecision, measured: int, void: Sequence[InvalidBlock]
) -> QuantityDecision:
    """Limit invalid blocks in an interim analysis, after which further blocks can lower their share.

    The quantity becomes unmeasured only if the allowed share makes that many unlikely (below ``ALPHA``).
    """
    limited = limit_invalid(decision, measured, void)
    if limited is decision or _tail(sum(affects(each, decision.quantity) for each in void), measured) < ALPHA:
        return limited
    return msgspec.structs.replace(decision, outcome="undecided")


def _tail(count: int, measured: int) -> float:
    """Compute the probability of ``count`` or more invalid blocks, if the allowed share is invalid."""
    whole, share = count + measured, MAX_INVALID_SHARE
    return 1 - sum(math.comb(whole, k) * share**k * (1 - share) ** (whole - k) for k in range(count))


def describe_invalid_blocks(void: Sequence[InvalidBlock], measured: int) -> str:
    """Describe the number of invalid blocks, whether only the candidate failed, and the last reason."""
    share = f"{len(void)} of {measured + len(void)} blocks were invalid"
    if all(each.arms == (CANDIDATE,) for each in void):
        share += ", all because of the candidate"
    return f"{share}; the last reason: {void[-1].void}"
