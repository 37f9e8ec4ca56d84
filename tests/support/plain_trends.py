"""What trends are, by definition: every timing of every run, gone through one by one in plain Python."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import stats

from harness.judge.changes import find_change_points
from harness.records import (
    ChangePoint,
    Interval,
    LatencyMeasure,
    RunLevel,
    Snapshot,
    Trend,
    TrendKind,
    TrendPoint,
)

Key = tuple[str, str, bool]
Timed = tuple[Snapshot, bool, LatencyMeasure]

LEVEL = 3
DEVIATIONS = {1: 1.0, 2: 0.707, 3: 0.670}


def list_plain_trends(
    snapshots: Sequence[Snapshot], newest: Snapshot, pinned: Sequence[str]
) -> tuple[list[Trend], list[str], dict[str, tuple[RunLevel, ...]]]:
    """The trends of the sweeps that are comparable with the newest, their runs with a point, the levels."""
    alike = [each for each in snapshots if each.kind == "sweep" and each.matrix == newest.matrix]
    runs = [each for each in alike if each.machine_class == newest.machine_class]
    runs.sort(key=lambda each: (each.created, each.run))
    timed = list(keep_first(filter_baseline([each for each in runs if each.latency])))
    points = collect_points(timed)
    marked = [each.run for each in runs if each.run in pinned]
    first = next((run.run for run, _, _ in timed), runs[0].run)
    order = {run.run: place for place, run in enumerate(runs)}
    limit = order[marked[-1] if marked else first]
    trends = [judge(key, several, limit, order, len(points)) for key, several in points.items()]
    seen = {point.run for several in points.values() for point in several}
    return trends, sorted(seen, key=order.__getitem__), collect_levels(points, order)


def filter_baseline(runs: Sequence[Snapshot]) -> Iterator[Snapshot]:
    baselines = {run.run: next((cell.id for cell in run.cells if cell.baseline), "") for run in runs}
    last = next(filter(None, (baselines[run.run] for run in reversed(runs))), "")
    yield from (run for run in runs if baselines[run.run] in {"", last})


def keep_first(runs: Iterator[Snapshot]) -> Iterator[Timed]:
    seen = set()
    for run in runs:
        baseline = {cell.id: cell.baseline for cell in run.cells}
        for each in run.latency:
            numbers = (each.p50, each.ratio or math.nan, each.noise or math.nan)
            usable = all(map(math.isfinite, numbers)) and min(numbers) > 0 and numbers[2] >= 1
            key = (each.session, each.cell, each.scenario)
            if usable and each.cell in baseline and not (each.session and key in seen):
                seen.add(key)
                yield run, baseline[each.cell], each


def collect_points(timed: Sequence[Timed]) -> dict[Key, list[TrendPoint]]:
    own = normalize([(run.run, each) for run, baseline, each in timed if baseline])
    found: dict[Key, list[TrendPoint]] = defaultdict(list)
    for run, baseline, each in timed:
        value = own.get((run.run, each.cell, each.scenario)) if baseline else each.ratio
        if value is not None:
            assert each.noise is not None
            found[each.cell, each.scenario, baseline].append(
                TrendPoint(run=run.run, created=run.created, commit=run.commit, value=value, noise=each.noise)
            )
    return found


def normalize(timed: Sequence[tuple[str, LatencyMeasure]]) -> dict[tuple[str, str, str], float]:
    first: dict[tuple[str, str], float] = {}
    logs: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for run, each in timed:
        key = each.cell, each.scenario
        logs[run][key] = math.log(each.p50 / first.setdefault(key, each.p50))
    machine = {run: statistics.median(own.values()) for run, own in logs.items() if len(own) >= 5}
    return {
        (run, *key): math.exp(value - machine[run])
        for run, own in logs.items()
        if run in machine
        for key, value in own.items()
    }


def judge(key: Key, points: Sequence[TrendPoint], limit: int, order: Mapping[str, int], many: int) -> Trend:
    values = [point.value for point in points]
    reference = max((place for place, point in enumerate(points) if order[point.run] <= limit), default=0)
    logs = np.array([math.log(value) for value in values])
    (found,) = find_change_points(logs[None, :])
    steps = [
        place for place in found if abs(measure_step(values, place)) > math.log(step_noise(points, place))
    ]
    since = beyond = slope = None
    kind: TrendKind = "unclear"
    after = points[reference + 1 :][-LEVEL:]
    if len(after) == LEVEL:
        before = points[max(0, reference + 1 - LEVEL) : reference + 1]
        since = median(after) / median(before)
        beyond = noise(points, before, after)
        if abs(math.log(since)) > math.log(beyond):
            slope = find_slope(logs[reference:], 1 - 0.01 / many)
        later = [measure_step(values, place) for place in steps if place > reference]
        kind = classify(math.log(since), math.log(beyond), later, slope)
    ends = (0, *steps, len(points))
    changes = tuple(
        ChangePoint(
            last=points[place - 1].run,
            first=points[place].run,
            before=median(points[begin:place]),
            after=median(points[place:end]),
        )
        for begin, place, end in zip(ends, ends[1:], ends[2:], strict=False)
    )
    cell, scenario, baseline = key
    return Trend(
        cell=cell, scenario=scenario, baseline=baseline, kind=kind, points=tuple(points), changes=changes,
        since=since, beyond=beyond, a_run=slope,
    )  # fmt: skip


def classify(total: float, beyond: float, steps: Sequence[float], slope: Interval | None) -> TrendKind:
    if abs(total) <= beyond:
        return "steady"
    if any(step / total >= 0.5 for step in steps):
        return "stepped"
    return "crept" if slope and (slope.low > 1 if total > 0 else slope.high < 1) else "unclear"


def measure_step(values: Sequence[float], place: int) -> float:
    before, after = values[max(0, place - LEVEL) : place], values[place : place + LEVEL]
    return math.log(statistics.median(after) / statistics.median(before))


def step_noise(points: Sequence[TrendPoint], place: int) -> float:
    return noise(points, points[max(0, place - LEVEL) : place], points[place : place + LEVEL])


def median(points: Sequence[TrendPoint]) -> float:
    return statistics.median(point.value for point in points)


def noise(points: Sequence[TrendPoint], one: Sequence[TrendPoint], other: Sequence[TrendPoint]) -> float:
    """The factor by which two levels differ through noise alone."""
    if len(points) < 2 * LEVEL:
        return statistics.median(point.noise for point in (*one, *other)) ** 2
    logs = [math.log(point.value) for point in points]
    single = 1.4826 * statistics.median(abs(b - a) for a, b in itertools.pairwise(logs)) / math.sqrt(2)
    return math.exp(3 * math.hypot(DEVIATIONS[len(one)], DEVIATIONS[len(other)]) * single)


def find_slope(logs: np.ndarray, confidence: float) -> Interval | None:
    if len(logs) < 2 * LEVEL:
        return None
    found = stats.theilslopes(logs, alpha=confidence)
    low, ratio, high = np.exp([found.low_slope, found.slope, found.high_slope])
    return Interval(low=float(low), ratio=float(ratio), high=float(high))


def collect_levels(
    points: Mapping[Key, Sequence[TrendPoint]], order: Mapping[str, int]
) -> dict[str, tuple[RunLevel, ...]]:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (_, scenario, baseline), several in points.items():
        for point in several if not baseline else ():
            values[scenario][point.run].append(point.value)
    return {
        scenario: tuple(make_level(run, by_run[run]) for run in sorted(by_run, key=order.__getitem__))
        for scenario, by_run in values.items()
    }


def make_level(run: str, values: Sequence[float]) -> RunLevel:
    low, middle, high = statistics.quantiles([*values] * (1 + (len(values) == 1)), method="inclusive")
    return RunLevel(run=run, low=low, median=middle, high=high)
