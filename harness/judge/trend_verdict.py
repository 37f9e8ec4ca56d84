"""What a scenario did over many runs: nothing, a step, or a slow creep that no two runs show. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from harness.judge.differences import MIN_BASELINE_SCENARIOS
from harness.records import ChangePoint, Trend, TrendKind, TrendPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records import Interval


LEVEL_RUNS = 3
"""Runs whose median is the level of today; as many, up to the reference, are that of the reference."""

_MEDIAN_DEVIATION = {1: 1.0, 2: 0.707, 3: 0.670}
"""Standard deviation of the median of so many values over that of one, for normal noise."""

SeriesKey = tuple[str, str]
"""Cell and scenario."""


class SeriesChanges(Protocol):
    """Change points and slope of a series, as ``harness.judge.changes`` returns them."""

    @property
    def changes(self) -> tuple[int, ...]: ...  # noqa: D102 - places at which a new level begins
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
    """(cell and scenario, is it the baseline) -> points, in their order, the oldest first."""
    several = list(timed)
    own = _normalize_baseline([each for each in several if each.baseline])
    found: dict[tuple[SeriesKey, bool], list[TrendPoint]] = defaultdict(list)
    for each in several:
        value = own.get((each.run, each.cell, each.scenario)) if each.baseline else each.ratio
        if value is None:
            continue
        point = TrendPoint(
            run=each.run, created=each.created, commit=each.commit, value=value, noise=each.noise
        )
        found[(each.cell, each.scenario), each.baseline].append(point)
    return {key: tuple(points) for key, points in found.items()}


def _normalize_baseline(timed: Sequence[TimedRun]) -> dict[tuple[str, str, str], float]:
    """Of the baseline: p50 over that of its first run, less the median of that over all scenarios.

    Nothing of a run with few of them, which do not tell a slow machine from a slow scenario.
    """
    first: dict[SeriesKey, float] = {}
    logs = {}
    for each in timed:
        start = first.setdefault((each.cell, each.scenario), each.p50)
        logs[each.run, each.cell, each.scenario] = math.log(each.p50 / start)
    by_run: dict[str, list[float]] = defaultdict(list)
    for (run, _, _), value in logs.items():
        by_run[run].append(value)
    drift = {
        run: statistics.median(several)
        for run, several in by_run.items()
        if len(several) >= MIN_BASELINE_SCENARIOS
    }
    return {key: math.exp(value - drift[key[0]]) for key, value in logs.items() if key[0] in drift}


def find_reference(reference: str, points: Sequence[TrendPoint], order: Mapping[str, int]) -> int:
    """The place of the reference, or of the last run before it that was timed; 0 if all came later."""
    at = order[reference]
    return max((place for place, point in enumerate(points) if order[point.run] <= at), default=0)


@dataclass(frozen=True)
class LevelChange:
    """The level of the newest runs over that of the reference, and the factor that noise explains."""

    since: float
    beyond: float

    @property
    def is_noise(self) -> bool:
        """Whether nothing can be said to have moved."""
        return abs(math.log(self.since)) <= math.log(self.beyond)


def measure_level_change(points: Sequence[TrendPoint], reference: int) -> LevelChange | None:
    """How far the newest points are from those up to ``reference``; None where too few came after it."""
    after = points[reference + 1 :][-LEVEL_RUNS:]
    if len(after) < LEVEL_RUNS:
        return None
    before = points[max(0, reference + 1 - LEVEL_RUNS) : reference + 1]
    return LevelChange(_measure_level(after) / _measure_level(before), _measure_noise(points, before, after))


def judge_trend(
    series: tuple[SeriesKey, bool],
    points: tuple[TrendPoint, ...],
    reference: int,
    move: LevelChange | None,
    changed: SeriesChanges,
) -> Trend:
    """What the points say.

    Args:
        series: cell and scenario, and whether the cell is the baseline.
        points: the oldest first.
        reference: the place that the newest are held against.
        move: what ``measure_level_change`` says of them.
        changed: where new levels begin, and what one run adds since the reference, if that was asked.
    """
    (cell, scenario), baseline = series
    changes = [place for place in changed.changes if _is_step(points, place)]
    trend = Trend(
        cell=cell,
        scenario=scenario,
        baseline=baseline,
        kind="unclear",
        points=points,
        changes=_list_steps(points, changes),
    )
    if move is None:
        return trend
    later = [_measure_step(points, place) for place in changes if place > reference]
    kind = _classify(move, later, changed.slope)
    return msgspec.structs.replace(
        trend, kind=kind, since=move.since, beyond=move.beyond, a_run=changed.slope
    )


def _list_steps(points: Sequence[TrendPoint], changes: Sequence[int]) -> tuple[ChangePoint, ...]:
    ends = (0, *changes, len(points))
    return tuple(
        ChangePoint(
            last=points[place - 1].run,
            first=points[place].run,
            before=_measure_level(points[begin:place]),
            after=_measure_level(points[place:end]),
        )
        for begin, place, end in zip(ends, ends[1:], ends[2:], strict=False)
    )


def _measure_step(points: Sequence[TrendPoint], place: int) -> float:
    """What happened between two neighbours: the level of the few runs from there on over the few before."""
    return _measure_level(points[place : place + LEVEL_RUNS]) / _measure_level(
        points[max(0, place - LEVEL_RUNS) : place]
    )


def _is_step(points: Sequence[TrendPoint], place: int) -> bool:
    """Whether a change point is one where it is: a creep is cut into levels too, but steps nowhere."""
    before, after = points[max(0, place - LEVEL_RUNS) : place], points[place : place + LEVEL_RUNS]
    return abs(math.log(_measure_step(points, place))) > math.log(_measure_noise(points, before, after))


def _classify(move: LevelChange, steps: Sequence[float], slope: Interval | None) -> TrendKind:
    """A step is one that explains half of the change by itself; a creep has a slope of its direction."""
    total = math.log(move.since)
    if move.is_noise:
        return "steady"
    if any(math.log(step) / total >= 0.5 for step in steps):
        return "stepped"
    crept = slope is not None and (slope.low > 1 if total > 0 else slope.high < 1)
    return "crept" if crept else "unclear"


def _measure_level(points: Sequence[TrendPoint]) -> float:
    return statistics.median(point.value for point in points)


def _measure_noise(
    points: Sequence[TrendPoint], one: Sequence[TrendPoint], other: Sequence[TrendPoint]
) -> float:
    """The factor by which the levels of ``one`` and ``other`` differ through noise alone.

    From run to run, as the differences of neighbours show it, which neither a step nor a creep makes much
    larger: three standard deviations of the difference of two medians. Of too few runs to tell: what the
    A/A arms of those that are compared say.
    """
    if len(points) < 2 * LEVEL_RUNS:
        return statistics.median(point.noise for point in (*one, *other)) ** 2
    logs = [math.log(point.value) for point in points]
    single = 1.4826 * statistics.median(abs(b - a) for a, b in itertools.pairwise(logs)) / math.sqrt(2)
    return math.exp(3 * math.hypot(_MEDIAN_DEVIATION[len(one)], _MEDIAN_DEVIATION[len(other)]) * single)
