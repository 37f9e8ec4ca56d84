"""Blocks in which the baseline disagrees with itself: they say nothing of the candidate. Pure.

Processes may get into each other's way for as long as both live. On an AMD EPYC of family 26 two of three
processes of the same NumPy took 1.4 times as long for float16 in 10 of 150 blocks, and ending one healed the
other; on another core it was the same. In all ten pairs the system had put NumPy's library at addresses whose
bits 21 to 23 are equal, as they are in an eighth of all pairs (2026-11). No number of rounds evens that out,
and one such block among the first 14 left a gate undecided.

Where it is the candidate that is in the way of one process of the baseline, the two of the baseline differ,
and by that it is told. Only they are asked, never the candidate, and only by how much they differ, not in
which direction: so whether a block counts does not depend on what the candidate takes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

GROSS = 6
"""Times the median of all differences: of normal noise 1 block in 20,000 is out as far."""

_B = TypeVar("_B")


def leave_out(blocks: Sequence[_B], control: Callable[[_B], float], threshold: float) -> list[_B]:
    """The blocks that count, in their order.

    One is left out if its processes of the baseline differ by more than the change that is to be decided,
    and by ``GROSS`` times as much as those of a typical block. A smaller difference can do no harm, and a
    machine on which all blocks differ so much has nothing to choose from.

    Args:
        blocks: of one group.
        control: the log of the ratio of the two processes.
        threshold: the ratio that a change may have, above 1.
    """
    apart = [abs(control(block)) for block in blocks]
    most = max(math.log(threshold), GROSS * statistics.median(apart)) if apart else 0.0
    return [block for block, each in zip(blocks, apart, strict=True) if each <= most]
