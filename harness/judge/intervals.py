"""Compute confidence intervals of paired log ratios: signed-rank for the gate, Student's t to compare.

This module imports NumPy and SciPy, which takes a second: import it where it is used.

Comparison of 60 simulated gates of each kind, 9 quantities, at most 300 s (2026-11, ``nox -s prove
-- --choice``). Neither interval calls identical environments regressed. With normal or measured noise both
detect a slow-down of 10% in all 60. If one process in ten takes 1.7 times as long, signed-rank detects 60
and Student's t 12; with heavy tails, 60 and 54. With one such process in 100 signed-rank decides in half of
the time (median 60 s against 136 s). It is slower only if every other process takes 1.1 times as long (204 s
against 136 s).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import stats

from harness.errors import MachineError
from harness.records import Interval

BATCH = 2_000_000
"""Averages held at a time, 8 bytes each."""


def signed_rank_interval(logs: np.ndarray, confidence: float) -> np.ndarray:
    """Invert the exact signed-rank test of Wilcoxon.

    For identical arms with random slots, log(a / b) and log(b / a) have the same distribution. It is
    symmetric about 0 for any noise, so the interval is exact. The values that the test does not reject lie
    between two averages of pairs (Walsh averages); the test gives the number to cut off at each end. Ties
    only widen the interval.

    Args:
        logs: array of shape (k, n), float64: k samples of n log ratios each.
        confidence: of each interval, two-sided, such as 0.999.

    Returns:
        Array of shape (k, 3), float64: lower end, middle (Hodges-Lehmann) and upper end; NaN where n is too
        small for this confidence.
    """
    count = logs.shape[1]
    cut = _count_cut_averages(count, (1 - confidence) / 2)
    if cut is None:
        return np.full((len(logs), 3), np.nan)
    first, second = np.triu_indices(count)
    results = []
    for start in range(0, len(logs), max(1, BATCH // len(first))):
        some = logs[start : start + max(1, BATCH // len(first))]
        averages = np.sort((some[:, first] + some[:, second]) / 2, axis=1)
        results.append(
            np.stack([averages[:, cut], np.median(averages, axis=1), averages[:, -1 - cut]], axis=1)
        )
    return np.concatenate(results) if results else np.empty((0, 3))


def t_interval(logs: np.ndarray, confidence: float) -> np.ndarray:
    """Compute Student's interval of the mean, for comparison.

    Args:
        logs: array of shape (k, n), float64.
        confidence: of each interval, two-sided.

    Returns:
        Array of shape (k, 3), float64: lower end, mean, upper end; NaN where n is 1.
    """
    if logs.shape[1] < 2:
        return np.full((len(logs), 3), np.nan)
    found = stats.ttest_1samp(logs, 0.0, axis=1).confidence_interval(confidence)
    return np.stack([found.low, logs.mean(axis=1), found.high], axis=1)


METHODS = {"signed-rank": signed_rank_interval, "t": t_interval}


def estimate(
    samples: Mapping[str, Sequence[float]],
    confidence: float,
    *,
    method: Literal["signed-rank", "t"] = "signed-rank",
) -> dict[str, Interval]:
    """Estimate the ratio of each sample with its interval; samples of equal length are batched.

    Args:
        samples: name -> paired log ratios.
        confidence: two-sided, of each single interval, such as 0.9996; see ``judge.alpha_spending``.
        method: the kind of interval; the gate uses signed-rank.

    Returns:
        Intervals of ratios by name; samples too small for this confidence are missing.

    Raises:
        MachineError: a log ratio or the ratio of a sample is not finite.
    """
    lengths: dict[int, list[str]] = defaultdict(list)
    for name, sample in samples.items():
        if sample:
            lengths[len(sample)].append(name)
    found: dict[str, Interval] = {}
    for names in lengths.values():
        logs = np.array([samples[name] for name in names], dtype=np.float64)
        if not np.isfinite(logs).all():
            name = names[int(np.argmin(np.isfinite(logs).all(axis=1)))]
            raise MachineError(f"{name}: one of its log ratios is not finite")
        with np.errstate(over="ignore"):  # reported below, with the name
            ratios = np.exp(METHODS[method](logs, confidence))
        for name, (low, ratio, high) in zip(names, ratios, strict=True):
            if np.isnan([low, ratio, high]).any():
                continue
            if not np.isfinite([low, ratio, high]).all():
                raise MachineError(f"{name}: the ratio is not finite")
            found[name] = Interval(low=float(low), ratio=float(ratio), high=float(high))
    return found


def _count_cut_averages(count: int, tail: float) -> int | None:
    """Count the averages outside at each end; None if even the most extreme is likelier than ``tail``."""
    if count < 1 or _compute_probability(count, 0) > tail:
        return None
    low, high = 0, count * (count + 1) // 2  # P(W+ <= low) <= tail < P(W+ <= high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _compute_probability(count, middle) <= tail else (low, middle)
    return low


@lru_cache(maxsize=4096)
def _compute_probability(count: int, statistic: int) -> float:
    """Compute P(W+ <= statistic) for ``count`` pairs, by SciPy from a sample with this statistic."""
    ranks = -np.arange(1.0, count + 1)
    left = statistic
    for rank in range(count, 0, -1):
        if rank <= left:
            ranks[rank - 1] = rank
            left -= rank
    return float(stats.wilcoxon(ranks, alternative="less", method="exact").pvalue)
