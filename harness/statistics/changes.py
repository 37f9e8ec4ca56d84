"""Where a series changed its level, and whether it creeps; distribution-free, for outliers are no news."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
from scipy import stats

from harness.gate_records import Interval

FEWEST = 3
"""Runs that a level rests on; so the shortest series with a change point has twice as many."""

PENALTY = 1.3
"""Times log(n). Of 300 series each of pure noise (normal, Student's t with 3 degrees of freedom, normal with
5% outliers of ten times the size; 12, 30 and 100 runs) at most 0.3% have a change point with it, and of
normal ones with a step of five times the noise in the middle at least 91% have it within two runs.
``tests/unit/test_statistics_changes.py`` counts it again."""

_GAMMA = 0.5
"""Of the kernel exp(-gamma x^2), x in units of the noise: values further apart than three are strangers."""


class SeriesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Series of logs, the oldest first, and for each the place from which on its slope is wanted."""

    series: dict[str, tuple[float, ...]]
    since: dict[str, int] = {}
    confidence: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.99


class SeriesAnswer(msgspec.Struct, frozen=True):
    """``changes`` are places where a further level begins; ``slope`` is the ratio that a place adds."""

    changes: tuple[int, ...]
    slope: Interval | None


class Changes(msgspec.Struct, frozen=True):
    """The answer on all series."""

    series: dict[str, SeriesAnswer]


def find_changes(request: SeriesRequest) -> Changes:
    """Change points and slope of every series; JSON has no value that is not finite."""
    found = {}
    for name, values in request.series.items():
        logs = np.array(values, dtype=np.float64)
        since = request.since.get(name, 0)
        found[name] = SeriesAnswer(find_change_points(logs), estimate_slope(logs[since:], request.confidence))
    return Changes(found)


def find_change_points(logs: np.ndarray) -> tuple[int, ...]:
    """The places at which a new level begins: the cheapest partition, each further level at a penalty.

    The cost of a level is the spread of its values under a Gaussian kernel (Arlot, Celisse and Harchaoui,
    https://arxiv.org/abs/1202.3878), in units of their noise, so that one outlier weighs little. The noise is
    that of the differences of neighbours, which a step in the level leaves as it is. Own code, for ruptures,
    which does the same and was compared with, has no wheel for Python 3.14 (seen 2026-11).
    """
    if len(logs) < 2 * FEWEST:
        return ()
    noise = 1.4826 * float(np.median(np.abs(np.diff(logs)))) / np.sqrt(2)
    if noise == 0:
        noise = float(np.finfo(np.float64).eps) * max(1.0, float(np.abs(logs).max()))
    scaled = np.clip((logs - np.median(logs)) / noise, -1e6, 1e6).reshape(-1, 1)
    kernel = np.exp(-_GAMMA * (scaled - scaled.T) ** 2)
    return _partition(kernel, PENALTY * float(np.log(len(logs))))


def _partition(kernel: np.ndarray, penalty: float) -> tuple[int, ...]:
    """Optimal partitioning by dynamic programming: quadratic in the number of runs, which are hundreds."""
    count = len(kernel)
    sums = np.zeros((count + 1, count + 1))
    sums[1:, 1:] = kernel.cumsum(0).cumsum(1)
    best, origin = np.full(count + 1, np.inf), np.zeros(count + 1, dtype=int)
    best[0] = -penalty
    for end in range(FEWEST, count + 1):
        begin = np.arange(end - FEWEST + 1)
        inside = sums[end, end] - sums[begin, end] - sums[end, begin] + sums[begin, begin]
        costs = best[begin] + (end - begin) - inside / (end - begin) + penalty
        origin[end] = int(costs.argmin())
        best[end] = costs[origin[end]]
    places, place = [], int(origin[count])
    while place > 0:
        places.append(place)
        place = int(origin[place])
    return tuple(reversed(places))


def estimate_slope(logs: np.ndarray, confidence: float) -> Interval | None:
    """What one place adds, as a ratio, by Theil and Sen with its interval; None for fewer than 2 x FEWEST."""
    if len(logs) < 2 * FEWEST:
        return None
    found = stats.theilslopes(logs, alpha=confidence)
    low, ratio, high = np.exp([found.low_slope, found.slope, found.high_slope])
    return Interval(low=float(low), ratio=float(ratio), high=float(high))
