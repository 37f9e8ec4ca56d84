"""Plan the interim analyses of a gate, and the alpha that each may spend.

The number of interim analyses depends on the budget and is not known in advance. Their shares of alpha are
1/3, 1/2, 1/12, 1/36, 1/72, ..., which sum to at most 1. The first suffices on a quiet machine, the second
decides most quantities on a noisy one. Of 200 gates simulated with the noise of such a machine, 192 passed,
and 193 decided the embedding within 300 s, with analyses at 14, 23, 37, ... blocks. With analyses at 14, 21,
32, ... and shares of 1/2, 1/6, 1/12, ... these were 169 and 170 (2026-11).

The share of an analysis is divided equally among the intervals of all planned quantities (Bonferroni). Open
quantities alone do not count, because earlier analyses selected them. Each quantity has two intervals, of the
change and of the A/A arm. By the union bound all intervals of all analyses cover simultaneously with
confidence ``1 - ALPHA``, for any dependence between quantities.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

ALPHA = 0.01
"""Largest probability that any interval of a gate misses the true ratio."""

INTERVALS = 2
"""Of each quantity in an interim analysis: the change, and the control."""

FIRST_BLOCKS = 16
"""Blocks before the first interim analysis.

For 13 quantities its intervals may miss in at most 1 of 7,800 cases. The most extreme signs of 13 pairs have
a probability of 1 in 4,096 (2 ** -12), of 14 pairs 1 in 8,192. So 2 of 16 blocks may be outliers.
"""

GROWTH = 1.5
"""Ratio of the blocks of successive interim analyses: 16, 24, 36, 54, 81, ..."""


_EARLY_SHARES = (1 / 3, 1 / 2)
"""Shares of the first interim analyses; the n-th after them gets 1 / (n (n + 1)) of the rest."""


@dataclass(frozen=True)
class InterimAnalysis:
    """The ``number``-th interim analysis (from 1), due after ``blocks`` blocks; spends ``share`` of alpha."""

    number: int
    blocks: int
    share: float


def plan_analyses() -> Iterator[InterimAnalysis]:
    """Yield all interim analyses in order, without end; their shares sum to 1."""
    blocks = FIRST_BLOCKS
    for number in itertools.count(1):
        yield InterimAnalysis(number, blocks, spend_alpha(number))
        blocks = -int(-blocks * GROWTH // 1)


def spend_alpha(number: int) -> float:
    """Compute the share of alpha that the ``number``-th interim analysis spends."""
    if number <= len(_EARLY_SHARES):
        return _EARLY_SHARES[number - 1]
    later = number - len(_EARLY_SHARES)
    return (1 - sum(_EARLY_SHARES)) / (later * (later + 1))


def find_next_analysis(blocks: int) -> InterimAnalysis:
    """Find the first interim analysis that is due after more than ``blocks`` blocks of a group."""
    return next(analysis for analysis in plan_analyses() if analysis.blocks > blocks)


def find_final_analysis(blocks: int) -> InterimAnalysis | None:
    """Find the analysis of ``blocks`` blocks that is due when the budget is spent.

    It spends the share of the next interim analysis. None: the last analysis covered all blocks already, or
    there are too few blocks.
    """
    following = find_next_analysis(blocks)
    covered = itertools.takewhile(lambda each: each.blocks <= blocks, plan_analyses())
    seen = max((each.blocks for each in covered), default=0)
    if blocks < FIRST_BLOCKS or blocks == seen:
        return None
    return InterimAnalysis(following.number, blocks, following.share)


def compute_confidence(analysis: InterimAnalysis, quantities: int) -> float:
    """Compute the confidence of each interval of an analysis, for a gate that planned ``quantities``.

    Raises:
        ValueError: no quantity is planned.
    """
    if quantities < 1:
        raise ValueError("a gate without quantities has no intervals")
    return 1 - ALPHA * analysis.share / (INTERVALS * quantities)
