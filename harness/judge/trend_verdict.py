"""Judge a scenario over many runs: steady, a step, or drift, which no pair of runs shows."""

from __future__ import annotations

import bisect
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from harness.records import ChangePoint, Trend, TrendKind, TrendPoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Interval, RunLatency


LEVEL_RUNS = 3
"""Runs per level: the newest ones, and those up to the reference, are compared by their medians."""

_MEDIAN_DEVIATION = {1: 1.0, 2: 0.707, 3: 0.670}
"""Count of values -> standard deviation of their median over that of one value, for normal noise."""


class SeriesChanges(Protocol):
    """Change points and slope of a series, as ``harness.judge.changes`` returns them."""

    @property
    def changes(self) -> tuple[int, ...]: ...  # noqa: D102 - indices at which a new level begins
    @property
    def slope(self) -> Interval | None: ...  # noqa: D102 - as a ratio with its interval


class LatencySeries(NamedTuple):
    """One scenario in one cell over many runs, oldest first.

    ``runs`` are numbers of runs, ``values`` as in ``harness.records.Trend`` with their logarithms, ``noises``
    the A/A factors of the sessions. ``spread`` is the noise of a single logarithm, NaN for a short series;
    without ``may_step`` no change point can be a step.
    """

    cell: str
    scenario: str
    baseline: bool
    runs: Sequence[int]
    values: Sequence[float]
    noises: Sequence[float]
    logs: Sequence[float]
    spread: float
    may_step: bool


def find_reference(series: LatencySeries, reference: int) -> int:
    """Find the place of the reference in a series, or of the last run before it; 0 if there is none."""
    return max(0, bisect.bisect_right(series.runs, reference) - 1)


@dataclass(frozen=True)
class LevelChange:
    """The level of the newest runs over that of the reference, and the factor explained by noise."""

    since: float
    beyond: float

    @property
    def is_noise(self) -> bool:
        """Whether noise explains the change."""
        return abs(math.log(self.since)) <= math.log(self.beyond)


def measure_level_change(series: LatencySeries, reference: int) -> LevelChange | None:
    """Compare the newest runs with those up to ``reference``; None if too few came after it."""
    count = len(series.runs)
    after = slice(max(reference + 1, count - LEVEL_RUNS), count)
    if after.stop - after.start < LEVEL_RUNS:
        return None
    before = slice(max(0, reference + 1 - LEVEL_RUNS), reference + 1)
    since = _median(series, after) / _median(series, before)
    return LevelChange(since, _find_noise(series, before, after))


def judge_trend(
    series: LatencySeries,
    runs: Sequence[RunLatency],
    reference: int,
    change: LevelChange | None,
    estimates: SeriesChanges,
) -> Trend:
    """Judge one series; the trend has no points yet.

    Args:
        series: the values.
        runs: the runs by number.
        reference: place of the run that the newest ones are compared with.
        change: the result of ``measure_level_change``.
        estimates: where new levels begin, and the slope since the reference if requested.
    """
    changes = [place for place in estimates.changes if _is_step(series, place)]
    trend = Trend(
        cell=series.cell,
        scenario=series.scenario,
        baseline=series.baseline,
        kind="unclear",
        points=(),
        changes=_list_steps(series, runs, changes) if changes else (),
    )
    if change is None:
        return trend
    later = [_measure_step(series, place) for place in changes if place > reference]
    kind = _classify(change, later, estimates.slope)
    return msgspec.structs.replace(
        trend, kind=kind, since=change.since, beyond=change.beyond, a_run=estimates.slope
    )


def list_points(series: LatencySeries, runs: Sequence[RunLatency]) -> tuple[TrendPoint, ...]:
    """List the runs of a series with their values."""
    return tuple(
        TrendPoint(
            run=runs[run].run, created=runs[run].created, commit=runs[run].commit, value=value, noise=noise
        )
        for run, value, noise in zip(series.runs, series.values, series.noises, strict=True)
    )


def _list_steps(
    series: LatencySeries, runs: Sequence[RunLatency], changes: Sequence[int]
) -> tuple[ChangePoint, ...]:
    ends = (0, *changes, len(series.runs))
    return tuple(
        ChangePoint(
            last=runs[series.runs[place - 1]].run,
            first=runs[series.runs[place]].run,
            before=_median(series, slice(begin, place)),
            after=_median(series, slice(place, end)),
        )
        for begin, place, end in zip(ends, ends[1:], ends[2:], strict=False)
    )


def _measure_step(series: LatencySeries, place: int) -> float:
    """Measure a step: the level of the next runs from ``place`` over that of the last runs before."""
    before, after = _beside(series, place)
    return _median(series, after) / _median(series, before)


def _is_step(series: LatencySeries, place: int) -> bool:
    """Whether a change point is a step; drift is partitioned into levels too, but without steps."""
    return abs(math.log(_measure_step(series, place))) > math.log(
        _find_noise(series, *_beside(series, place))
    )


def _beside(series: LatencySeries, place: int) -> tuple[slice, slice]:
    """The last runs before ``place``, and the next from it."""
    count = len(series.runs)
    return slice(max(0, place - LEVEL_RUNS), place), slice(place, min(place + LEVEL_RUNS, count))


def _classify(change: LevelChange, steps: Sequence[float], slope: Interval | None) -> TrendKind:
    """Classify a change: one step explains half of it, or drift has a slope in its direction."""
    if change.is_noise:
        return "steady"
    total = math.log(change.since)
    if any(math.log(step) / total >= 0.5 for step in steps):
        return "stepped"
    drifts = slope is not None and (slope.low > 1 if total > 0 else slope.high < 1)
    return "crept" if drifts else "unclear"


def _median(series: LatencySeries, some: slice) -> float:
    return statistics.median(series.values[some])


def _find_noise(series: LatencySeries, one: slice, other: slice) -> float:
    """Measure the factor by which the levels of ``one`` and ``other`` differ through noise alone.

    With few runs it is estimated from the A/A arms.
    """
    if len(series.runs) < 2 * LEVEL_RUNS:
        return statistics.median([*series.noises[one], *series.noises[other]]) ** 2
    return math.exp(explain_by_noise(series.spread, one.stop - one.start, other.stop - other.start))


def explain_by_noise(spread: float, one: int, other: int) -> float:
    """Three standard deviations of the difference of two medians, each of so many values."""
    return 3 * math.hypot(_MEDIAN_DEVIATION[one], _MEDIAN_DEVIATION[other]) * spread
