"""Where a series changed its level, and whether it creeps; distribution-free, for outliers are no news."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from scipy import stats

from harness.errors import MachineError
from harness.records import Interval

MIN_LEVEL_RUNS = 3
"""Runs that a level rests on; so the shortest series with a change point has twice as many."""

PENALTY = 1.3
"""Times log(n). Of 300 series each of pure noise (normal, Student's t with 3 degrees of freedom, normal with
5% outliers of ten times the size; 12, 30 and 100 runs) at most 0.3% have a change point with it, and of
normal ones with a step of five times the noise in the middle at least 91% have it within two runs.
``tests/judge/test_changes.py`` counts it again."""

_GAMMA = 0.5
"""Of the kernel exp(-gamma x^2), x in units of the noise: values further apart than three are strangers."""

_KERNEL_BYTES = 1 << 24
"""Of the kernels that are held at once; they are summed twice, so some five times as much is in use."""


class Changes(msgspec.Struct, frozen=True):
    """``changes`` are places where a further level begins; ``slope``, if wanted, the ratio a place adds."""

    changes: tuple[int, ...]
    slope: Interval | None


def find_changes(
    series: Mapping[str, Sequence[float]], since: Mapping[str, int], *, confidence: float
) -> dict[str, Changes]:
    """Find the change points of every series, those of one length together.

    Args:
        series: name -> logs, the oldest first.
        since: name -> place from which on the slope of a series is wanted; the others get none.
        confidence: of the interval of each slope by itself, two-sided.

    Raises:
        MachineError: a value is no finite number.
    """
    logs = {name: np.array(values, dtype=np.float64) for name, values in series.items()}
    for name, values in logs.items():
        if not np.isfinite(values).all():
            raise MachineError(f"{name}: one of its values is no finite number")
    alike: dict[int, list[str]] = defaultdict(list)
    for name, values in logs.items():
        alike[len(values)].append(name)
    changes: dict[str, tuple[int, ...]] = {}
    for names in alike.values():
        found = find_change_points(np.array([logs[name] for name in names]))
        changes |= dict(zip(names, found, strict=True))
    slopes = {name: estimate_slope(logs[name][place:], confidence) for name, place in since.items()}
    return {name: Changes(changes[name], slopes.get(name)) for name in logs}


def find_change_points(logs: np.ndarray) -> list[tuple[int, ...]]:
    """For each series, a row of shape (k, n), the places at which a new level begins: the cheapest partition.

    Each further level costs a penalty. The cost of a level is the spread of its values under a Gaussian
    kernel (Arlot, Celisse and Harchaoui, https://arxiv.org/abs/1202.3878), in units of their noise, so that
    one outlier weighs little. The noise is that of the differences of neighbours, which a step in the level
    leaves as it is. Own code, for ruptures, which does the same and was compared with, has no wheel for
    Python 3.14 (seen 2026-11).
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
        kernels = np.exp(-_GAMMA * (some[:, :, None] - some[:, None, :]) ** 2)
        found += _partition(kernels, PENALTY * float(np.log(count)))
    return found


def _partition(kernels: np.ndarray, penalty: float) -> list[tuple[int, ...]]:
    """Optimal partitioning by dynamic programming: quadratic in the number of runs, which are hundreds."""
    many, count, _ = kernels.shape
    sums = np.zeros((many, count + 1, count + 1))
    sums[:, 1:, 1:] = kernels.cumsum(1).cumsum(2)
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
    """Where the levels of the cheapest partition begin; ``origin``: end of a level -> its begin."""
    places, place = [], int(origin[-1])
    while place > 0:
        places.append(place)
        place = int(origin[place])
    return tuple(reversed(places))


def estimate_slope(logs: np.ndarray, confidence: float) -> Interval | None:
    """What one place adds, as a ratio, by Theil and Sen with its interval; None for fewer than 2 x MIN_LEVEL_RUNS."""
    if len(logs) < 2 * MIN_LEVEL_RUNS:
        return None
    found = stats.theilslopes(logs, alpha=confidence)
    low, ratio, high = np.exp([found.low_slope, found.slope, found.high_slope])
    return Interval(low=float(low), ratio=float(ratio), high=float(high))
