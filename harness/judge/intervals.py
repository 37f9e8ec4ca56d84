"""Confidence intervals of paired log ratios: signed-rank, which the gate uses, and Student's t beside it.

One of the two modules of the controller that import NumPy and SciPy, so import it where it is used: that
takes a second.

What was seen of 60 simulated gates of each kind, 9 quantities, at most 300 s (2026-11, ``nox -s prove
-- --choice``): neither calls identical environments regressed. Of a slow-down of 10% both find
60 where the noise is normal or as measured; where one process in ten takes 1.7 times as long the
signed-rank interval finds 60 and Student's 12, with heavy tails 60 and 54. With one such process in 100 it
decides in half of the time (median 60 s against 136 s). It is slower only where every other process takes
1.1 times as long (204 s against 136 s).
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
"""How many averages are held at a time, 8 bytes each."""


def signed_rank_interval(logs: np.ndarray, confidence: float) -> np.ndarray:
    """Invert the exact signed-rank test of Wilcoxon.

    Where two arms are alike and their slots are swapped, log(a / b) is as likely as log(b / a): symmetric
    about 0, whatever the noise is, so that this interval is exactly valid there. The values that the test
    does not reject lie between two of the averages of pairs (Walsh); how many of them are cut off at each end
    is read off the test itself. Ties make it wider, never narrower.

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
    """Take Student's interval of the mean: what the other is compared with.

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
    """Estimate the ratio of each sample with its interval; samples of one length together.

    Args:
        samples: name -> paired log ratios.
        confidence: of each interval by itself, two-sided, such as 0.9996; see ``judge.sampling``.
        method: which interval; the gate uses the first.

    Returns:
        By name: exp of the ends on the log scale. A sample that is too small for this confidence has none.

    Raises:
        MachineError: the ratio of a sample is no finite number.
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
            raise MachineError(f"{name}: one of its log ratios is no finite number")
        with np.errstate(over="ignore"):  # reported below, with the name
            ratios = np.exp(METHODS[method](logs, confidence))
        for name, (low, ratio, high) in zip(names, ratios, strict=True):
            if np.isnan([low, ratio, high]).any():
                continue
            if not np.isfinite([low, ratio, high]).all():
                raise MachineError(f"{name}: the ratio is no finite number")
            found[name] = Interval(low=float(low), ratio=float(ratio), high=float(high))
    return found


def _count_cut_averages(count: int, tail: float) -> int | None:
    """How many averages lie outside at each end; None where even the extreme is likelier than ``tail``."""
    if count < 1 or _compute_probability(count, 0) > tail:
        return None
    low, high = 0, count * (count + 1) // 2  # P(W+ <= low) <= tail < P(W+ <= high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _compute_probability(count, middle) <= tail else (low, middle)
    return low


@lru_cache(maxsize=4096)
def _compute_probability(count: int, statistic: int) -> float:
    """P(W+ <= statistic) for ``count`` pairs, as scipy tells it of a sample that has this statistic."""
    ranks = -np.arange(1.0, count + 1)
    left = statistic
    for rank in range(count, 0, -1):
        if rank <= left:
            ranks[rank - 1] = rank
            left -= rank
    return float(stats.wilcoxon(ranks, alternative="less", method="exact").pvalue)
