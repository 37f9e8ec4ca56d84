"""When the gate looks at its blocks, and how much error each look may spend.

The gate may go on for as long as its budget lasts, so nobody knows how many looks there will be. Each gets a
share of the error that the whole gate is allowed: 1/3, 1/2, 1/12, 1/36, 1/72, ..., which is 1 in all, however
many there are. The first needs no more for what it decides on a quiet machine, the second decides most on a
noisy one: of 200 gates simulated with the noise of one, 192 passed and 193 had their embedding within 300 s
with looks at 14, 23, 37, ..., and 169 and 170 with looks at 14, 21, 32, ... and shares of 1/2, 1/6, 1/12, ...
(2026-11).

What a look gets is divided equally among the intervals of all quantities that the gate has planned
(Bonferroni), not of those that are still open: which are open has been chosen by looking. Each quantity has
two, of the change and of its A/A arm. So by the union bound every interval of every look covers at once, with
confidence ``1 - ALPHA``, whatever the quantities have to do with each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

ALPHA = 0.01
"""How often one of all the intervals that a gate rests on may miss what it is to cover."""

INTERVALS = 2
"""Of each quantity at a look: the change, and the control."""

FIRST_BLOCKS = 16
"""Blocks before the first look. For the 13 quantities of a gate the first look needs intervals that miss in
at most 1 of 7,800 cases; of 13 pairs even the most extreme signs have a probability of 1 in 4,096 (2 ** -12),
of 14 pairs 1 in 8,192. So of 16 two may be left out (``judge.discord``)."""

GROWTH = 1.5
"""Each look has so many times the blocks of the one before: 16, 24, 36, 54, 81, ..."""


_EARLY_SHARES = (1 / 3, 1 / 2)
"""Shares of the first looks; of what is left the n-th after them gets 1 / (n (n + 1))."""


@dataclass(frozen=True)
class InterimAnalysis:
    """The ``number``-th look (from 1), due after ``blocks`` blocks, with its ``share`` of the error."""

    number: int
    blocks: int
    share: float


def plan_analyses() -> Iterator[InterimAnalysis]:
    """All looks in their order, without an end; their shares are 1 in all."""
    blocks = FIRST_BLOCKS
    for number in itertools.count(1):
        yield InterimAnalysis(number, blocks, spend_alpha(number))
        blocks = -int(-blocks * GROWTH // 1)


def spend_alpha(number: int) -> float:
    """The share of the error that the ``number``-th look may spend."""
    if number <= len(_EARLY_SHARES):
        return _EARLY_SHARES[number - 1]
    later = number - len(_EARLY_SHARES)
    return (1 - sum(_EARLY_SHARES)) / (later * (later + 1))


def find_next_analysis(blocks: int) -> InterimAnalysis:
    """The first look that is due after more than ``blocks`` blocks of a group have been measured."""
    return next(look for look in plan_analyses() if look.blocks > blocks)


def find_final_analysis(blocks: int) -> InterimAnalysis | None:
    """The look at what there is when the budget is spent, between two looks or not; None where none is due.

    It takes the share of the look that would have come next. None means that the last look has seen all
    blocks already, or that there are too few for any.
    """
    coming = find_next_analysis(blocks)
    seen = max(
        (look.blocks for look in itertools.takewhile(lambda each: each.blocks <= blocks, plan_analyses())),
        default=0,
    )
    if blocks < FIRST_BLOCKS or blocks == seen:
        return None
    return InterimAnalysis(coming.number, blocks, coming.share)


def confidence_at(look: InterimAnalysis, quantities: int) -> float:
    """The confidence of each interval at a look, where the gate has planned so many ``quantities``.

    Raises:
        ValueError: no quantity is planned.
    """
    if quantities < 1:
        raise ValueError("a gate without quantities looks at nothing")
    return 1 - ALPHA * look.share / (INTERVALS * quantities)
