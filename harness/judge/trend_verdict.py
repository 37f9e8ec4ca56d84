"""Judge a scenario over many runs: steady, a step, or drift, which no pair of runs shows."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from harness.judge.differences import MIN_SCENARIOS
from harness.records import ChangePoint, Trend, TrendKind, TrendPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records import Interval


LEVEL_RUNS = 3
"""Runs per level: the newest ones, and those up to the reference, are compared by their medians."""

_MEDIAN_DEVIATION = {1: 1.0, 2: 0.707, 3: 0.670}
"""Count of values -> standard deviation of their median over that of one value, for normal noise."""

SeriesKey = tuple[str, str]
"""Cell and scenario."""


class SeriesChanges(Protocol):
    """Change points and slope of a series, as ``harness.judge.changes`` returns them."""

    @property
    def changes(self) -> tuple[int, ...]: ...  # noqa: D102 - indices at which a new level begins
    @property
    def slope(self) -> Interval | None: ...  # noqa: D102 - as a ratio with its interval


class TimedRun(Protocol):
    """One scenario in one cell of one run, as ``harness.runs.past_runs`` reads it."""

    @property
    def run(self) -> str: ...  # noqa: D102 - as in TrendPoint
    @property
    def created(self) -> str: ...  # noqa: D102 - as in TrendPoint
    @property
    def commit(self) -> str: ...  # noqa: D102 - as in TrendPoint
    @property
    def cell(self) -> str: ...  # noqa: D102 - as in Trend
    @property
    def baseline(self) -> bool: ...  # noqa: D102 - as in Trend
    @property
    def scenario(self) -> str: ...  # noqa: D102 - as in Trend
    @property
    def p50(self) -> float: ...  # noqa: D102 - seconds a call
    @property
    def ratio(self) -> float: ...  # noqa: D102 - to the baseline of the same session
    @property
    def noise(self) -> float: ...  # noqa: D102 - as in TrendPoint


def collect_points(timed: Iterable[TimedRun]) -> dict[tuple[SeriesKey, bool], tuple[TrendPoint, ...]]:
    """Collect points: (cell and scenario, whether it is the baseline) -> points, oldest first."""
    several = list(timed)
    normalized = _normalize_baseline([each for each in several if each.baseline])
    found: dict[tuple[SeriesKey, bool], list[TrendPoint]] = defaultdict(list)
    for each in several:
        value = normalized.get((each.run, each.cell, each.scenario)) if each.baseline else each.ratio
        if value is None:
            continue
        point = TrendPoint(
            run=each.run, created=each.created, commit=each.commit, value=value, noise=each.noise
        )
        found[(each.cell, each.scenario), each.baseline].append(point)
    return {key: tuple(points) for key, points in found.items()}


def _normalize_baseline(timed: Sequence[TimedRun]) -> dict[tuple[str, str, str], float]:
    """Normalize the baseline: p50 over that of its first run, divided by the median of all scenarios.

    Runs with few scenarios are excluded: they cannot separate a slow machine from a slow scenario.
    """
    first: dict[SeriesKey, float] = {}
    logs = {}
    for each in timed:
        start = first.setdefault((each.cell, each.scenario), each.p50)
        logs[each.run, each.cell, each.scenario] = math.log(each.p50 / start)
    by_run: dict[str, list[float]] = defaultdict(list)
    for (run, _, _), value in logs.items():
        by_run[run].append(value)
    machine = {run: statistics.median(each) for run, each in by_run.items() if len(each) >= MIN_SCENARIOS}
    return {key: math.exp(value - machine[key[0]]) for key, value in logs.items() if key[0] in machine}


def find_reference(reference: str, points: Sequence[TrendPoint], order: Mapping[str, int]) -> int:
    """Find the index of the reference, or of the last timed run before it; 0 if there is none."""
    limit = order[reference]
    return max((place for place, point in enumerate(points) if order[point.run] <= limit), default=0)


@dataclass(frozen=True)
class LevelChange:
    """The level of the newest runs over that of the reference, and the factor explained by noise."""

    since: float
    beyond: float

    @property
    def is_noise(self) -> bool:
        """Whether noise explains the change."""
        return abs(math.log(self.since)) <= math.log(self.beyond)


def measure_level_change(points: Sequence[TrendPoint], reference: int) -> LevelChange | None:
    """Compare the newest points with those up to ``reference``; None if too few came after it."""
    after = points[reference + 1 :][-LEVEL_RUNS:]
    if len(after) < LEVEL_RUNS:
        return None
    before = points[max(0, reference + 1 - LEVEL_RUNS) : reference + 1]
    return LevelChange(_median(after) / _median(before), _find_noise(points, before, after))


def judge_trend(
    series: tuple[SeriesKey, bool],
    points: tuple[TrendPoint, ...],
    reference: int,
    change: LevelChange | None,
    estimates: SeriesChanges,
) -> Trend:
    """Judge one series.

    Args:
        series: cell and scenario, and whether the cell is the baseline.
        points: oldest first.
        reference: index of the point that the newest ones are compared with.
        change: the result of ``measure_level_change``.
        estimates: where new levels begin, and the slope since the reference if requested.
    """
    (cell, scenario), baseline = series
    changes = [place for place in estimates.changes if _is_step(points, place)]
    trend = Trend(
        cell=cell,
        scenario=scenario,
        baseline=baseline,
        kind="unclear",
        points=points,
        changes=_list_steps(points, changes),
    )
    if change is None:
        return trend
    later = [_measure_step(points, place) for place in changes if place > reference]
    kind = _classify(change, later, estimates.slope)
    return msgspec.structs.replace(
        trend, kind=kind, since=change.since, beyond=change.beyond, a_run=estimates.slope
    )


def _list_steps(points: Sequence[TrendPoint], changes: Sequence[int]) -> tuple[ChangePoint, ...]:
    ends = (0, *changes, len(points))
    return tuple(
        ChangePoint(
            last=points[place - 1].run,
            first=points[place].run,
            before=_median(points[begin:place]),
            after=_median(points[place:end]),
        )
        for begin, place, end in zip(ends, ends[1:], ends[2:], strict=False)
    )


def _measure_step(points: Sequence[TrendPoint], place: int) -> float:
    """Measure a step: the level of the next runs from ``place`` over that of the last runs before."""
    return _median(points[place : place + LEVEL_RUNS]) / _median(points[max(0, place - LEVEL_RUNS) : place])


def _is_step(points: Sequence[TrendPoint], place: int) -> bool:
    """Whether a change point is a step; drift is partitioned into levels too, but without steps."""
    before, after = points[max(0, place - LEVEL_RUNS) : place], points[place : place + LEVEL_RUNS]
    return abs(math.log(_measure_step(points, place))) > math.log(_find_noise(points, before, after))


def _classify(change: LevelChange, steps: Sequence[float], slope: Interval | None) -> TrendKind:
    """Classify a change: one step explains half of it, or drift has a slope in its direction."""
    total = math.log(change.since)
    if change.is_noise:
        return "steady"
    if any(math.log(step) / total >= 0.5 for step in steps):
        return "stepped"
    drifts = slope is not None and (slope.low > 1 if total > 0 else slope.high < 1)
    return "crept" if drifts else "unclear"


def _median(points: Sequence[TrendPoint]) -> float:
    return statistics.median(point.value for point in points)


def _find_noise(
    points: Sequence[TrendPoint], one: Sequence[TrendPoint], other: Sequence[TrendPoint]
) -> float:
    """Measure the factor by which the levels of ``one`` and ``other`` differ through noise alone.

    It is three standard deviations of the difference of two medians. The noise is estimated from differences
    of neighbours, which neither a step nor drift enlarges much; with few runs, from the A/A arms.
    """
    if len(points) < 2 * LEVEL_RUNS:
        return statistics.median(point.noise for point in (*one, *other)) ** 2
    logs = [math.log(point.value) for point in points]
    single = 1.4826 * statistics.median(abs(b - a) for a, b in itertools.pairwise(logs)) / math.sqrt(2)
    return math.exp(3 * math.hypot(_MEDIAN_DEVIATION[len(one)], _MEDIAN_DEVIATION[len(other)]) * single)
