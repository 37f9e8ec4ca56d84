"""Whether so many blocks were void that what is left of them says too little. Pure.

A block is void because a process was slow beyond its limit, too large, or broken. To leave such blocks out is
to choose among processes, and where the candidate is what fails, it is the worst of it that is left out: what
remains must not pass. What is slower even so has regressed: equal environments fail alike, so leaving blocks
out favours neither of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from harness.gate_records import CANDIDATE, Quantity, QuantityDecision, VoidBlock
from harness.judge.quantities import unmeasured
from harness.judge.sampling import ALPHA

ALLOWED, ALLOWED_SHARE = 1, 0.05
"""Void blocks that a quantity may have: so many, or this share of its blocks, whichever is more."""

_HELD_BACK = {"passed", "undecided"}


def concerns(void: VoidBlock, quantity: Quantity) -> bool:
    """Whether a quantity lost a value by a void block; memory is that of all scenarios."""
    lost = quantity.unit == "B" or void.scenario in {"", quantity.id}
    return lost and void.group == quantity.group


def hold_back(decision: QuantityDecision, measured: int, void: Sequence[VoidBlock]) -> QuantityDecision:
    """The decision as it may stand beside void blocks, where ``measured`` of the group were not void."""
    mine = [each for each in void if concerns(each, decision.quantity)]
    allowed = max(ALLOWED, ALLOWED_SHARE * (measured + len(mine)))
    if decision.outcome not in _HELD_BACK or len(mine) <= allowed:
        return decision
    return unmeasured(decision.quantity, tell_void(mine, measured), blocks=decision.blocks)


def hold_for_now(decision: QuantityDecision, measured: int, void: Sequence[VoidBlock]) -> QuantityDecision:
    """The decision at a look, after which more blocks may come: with these the void ones may be few.

    It is given up where so many void ones would come of an allowed share in one of a hundred gates only.
    """
    held = hold_back(decision, measured, void)
    if held is decision or _tail(sum(concerns(each, decision.quantity) for each in void), measured) < ALPHA:
        return held
    return msgspec.structs.replace(decision, outcome="undecided")


def _tail(count: int, measured: int) -> float:
    """How probable so many void blocks or more are, if the allowed share of all blocks becomes void."""
    whole, share = count + measured, ALLOWED_SHARE
    return 1 - sum(math.comb(whole, k) * share**k * (1 - share) ** (whole - k) for k in range(count))


def tell_void(void: Sequence[VoidBlock], measured: int) -> str:
    """How many blocks were void, whether that is the candidate's doing, and the words of the last."""
    share = f"{len(void)} of {measured + len(void)} blocks were void"
    if all(each.arms == (CANDIDATE,) for each in void):
        share += ", always by the candidate and never by the baseline"
    return f"{share}, the last because of {void[-1].void}"
