"""Find change points and drift in a series; distribution-free, because outliers are common."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import msgspec
import numpy as np

from harness.records import Interval

MIN_LEVEL_RUNS = 3
"""Minimum runs of a level; a series with a change point has at least twice as many."""

PENALTY = 1.3
"""Penalty of a level, in units of log(n).

Measured on 300 series per kind of noise (normal, Student's t with 3 degrees of freedom, normal with 5%
outliers of ten times the size) and length (12, 30, 100 runs). At most 0.3% of pure noise has a change point.
A central step of five times normal noise is found within two runs in at least 91%.
``tests/judge/test_changes.py`` repeats this."""

_GAMMA = 0.5
"""Gamma of the kernel exp(-gamma x^2), x in units of the noise: beyond three, values are dissimilar."""

_KERNEL_BYTES = 1 << 23
"""Bytes of the kernels held at once; peak memory is about twice as much, for their sums."""


class Changes(msgspec.Struct, frozen=True):
    """``changes`` are the indices at which a new level begins; ``slope``, if requested, the ratio per run."""

    changes: tuple[int, ...]
    slope: Interval | None


def find_changes(
    series: Mapping[int, Sequence[float]], since: Mapping[int, int], *, confidence: float
) -> dict[int, Changes]:
    """Find the change points of every series; series of equal length share one computation.

    Args:
        series: logs by the number of the series, oldest first.
        since: number -> index at which the slope of a series begins; other series get no slope.
        confidence: two-sided confidence of the interval of each single slope.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for number, values in series.items():
        by_length[len(values)].append(number)
    changes: dict[int, tuple[int, ...]] = {}
    for numbers in by_length.values():
        found = find_change_points(np.array([series[number] for number in numbers]))
        changes |= dict(zip(numbers, found, strict=True))
    slopes = {
        number: estimate_slope(np.asarray(series[number][start:]), confidence)
        for number, start in since.items()
    }
    return {number: Changes(changes[number], slopes.get(number)) for number in series}


def find_change_points(logs: np.ndarray) -> list[tuple[int, ...]]:
    """Find the indices at which a new level begins in each row of ``logs``, of shape (k, n).

    The result is the partition of lowest cost; each further level costs a penalty. The cost of a level is
    the spread of its values under a Gaussian kernel (Arlot, Celisse and Harchaoui,
    https://arxiv.org/abs/1202.3878), in units of the noise, which limits the weight of an outlier. The noise
    is estimated from differences of neighbours, which a step hardly changes. Results agree with ruptures,
    which has no wheel for Python 3.14 (2026-11).
    """
    many, count = logs.shape
    if count < 2 * MIN_LEVEL_RUNS:
        return [()] * many
    noise = 1.4826 * np.median(np.abs(np.diff(logs)), axis=1, keepdims=True) / np.sqrt(2)
    least = np.finfo(np.float64).eps * np.maximum(1.0, np.abs(logs).max(axis=1, keepdims=True))
    noise = np.where(noise == 0, least, noise)
    scaled = np.clip((logs - np.median(logs, axis=1, keepdims=True)) / noise, -1e6, 1e6)
    found: list[tuple[int, ...]] = []
    at_once = max(1, _KERNEL_BYTES // (8 * count**2))
    for begin in range(0, many, at_once):
        some = scaled[begin : begin + at_once]
        kernels = some[:, :, None] - some[:, None, :]
        np.exp(np.multiply(-_GAMMA, np.square(kernels, out=kernels), out=kernels), out=kernels)
        found += _partition(kernels, PENALTY * float(np.log(count)))
    return found


def _partition(kernels: np.ndarray, penalty: float) -> list[tuple[int, ...]]:
    """Optimal partitioning by dynamic programming, quadratic in the number of runs (hundreds)."""
    many, count, _ = kernels.shape
    sums = np.zeros((many, count + 1, count + 1))
    np.cumsum(np.cumsum(kernels, axis=1, out=kernels), axis=2, out=sums[:, 1:, 1:])
    own = np.diagonal(sums, axis1=1, axis2=2)
    best, origin = np.full((many, count + 1), np.inf), np.zeros((many, count + 1), dtype=int)
    best[:, 0] = -penalty
    rows = np.arange(many)
    for end in range(MIN_LEVEL_RUNS, count + 1):
        begin = slice(0, end - MIN_LEVEL_RUNS + 1)
        length = end - np.arange(end - MIN_LEVEL_RUNS + 1)
        inside = own[:, end, None] - 2 * sums[:, end, begin] + own[:, begin]  # a kernel is symmetric
        costs = best[:, begin] + length - inside / length + penalty
        origin[:, end] = costs.argmin(axis=1)
        best[:, end] = costs[rows, origin[:, end]]
    return [_trace(each) for each in origin]


def _trace(origin: np.ndarray) -> tuple[int, ...]:
    """Collect where the levels of the best partition begin; ``origin``: end of a level -> its begin."""
    places, place = [], int(origin[-1])
    while place > 0:
        places.append(place)
        place = int(origin[place])
    return tuple(reversed(places))


def estimate_slope(logs: np.ndarray, confidence: float) -> Interval | None:
    """Estimate the ratio per run and its interval by Theil-Sen; None below ``2 * MIN_LEVEL_RUNS`` runs.

    The interval is that of Sen (1968, equation 2.6). SciPy has it too, but its import takes as long as all
    other work on a history of 100 runs; a test compares both.
    """
    count = len(logs)
    if count < 2 * MIN_LEVEL_RUNS:
        return None
    first, second = np.triu_indices(count, 1)
    slopes = np.sort((logs[second] - logs[first]) / (second - first))
    _, ties = np.unique(logs, return_counts=True)
    pairs = [each * (each - 1) * (2 * each + 5) for each in (count, *ties.tolist())]
    sigma = math.sqrt((pairs[0] - sum(pairs[1:])) / 18)
    reach = -NormalDist().inv_cdf((1 - confidence) / 2) * sigma
    low = max(round((len(slopes) - reach) / 2) - 1, 0)
    high = min(round((len(slopes) + reach) / 2), len(slopes) - 1)
    ends = (float(each) for each in np.exp([slopes[low], np.median(slopes), slopes[high]]))
    return Interval(**dict(zip(("low", "ratio", "high"), ends, strict=True)))
