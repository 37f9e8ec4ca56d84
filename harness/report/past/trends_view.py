"""What every rendering shows of trends: which series are news, and each scenario over all of its cells."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.history_records import Trend, TrendKind, Trends

WORDS: dict[TrendKind, str] = {
    "steady": "within the noise",
    "stepped": "in one step",
    "crept": "in many small steps",
    "unclear": "nothing says how",
}
_NEWS: frozenset[TrendKind] = frozenset({"stepped", "crept"})
"""What is unclear is counted only: of 600 series that hold, heavy noise makes some a dozen so."""


def say_kinds(trends: Trends) -> str:
    """How many series did what."""
    counts = Counter(trend.kind for trend in trends.trends)
    return ", ".join(f"{counts[kind]} {kind}" for kind in WORDS if counts[kind]) or "nothing was timed"


def choose_trends(trends: Trends, *, everything: bool = False) -> list[Trend]:
    """The series of which it can be said that and how they changed, the slowest first; or all of them."""
    shown = [each for each in trends.trends if everything or each.kind in _NEWS or each.changes]
    return sorted(shown, key=_order)


def _order(trend: Trend) -> float:
    return -(trend.since or 0.0) if trend.kind != "steady" else 0.0


@dataclass(frozen=True)
class RunLevel:
    """The cells of a scenario in one run, the baseline left out: quartiles and median of their ratios."""

    place: int
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class ScenarioTrend:
    """One scenario over all cells: a level a run, and the ``news`` among its series, which changed most.

    ``left`` is how many more of those there are.
    """

    scenario: str
    cells: int
    levels: tuple[RunLevel, ...]
    news: tuple[Trend, ...]
    left: int


def number_runs(trends: Trends) -> dict[str, int]:
    """Run -> its number in the drawing, from 1; the oldest first, and only those that timed something."""
    created = {point.run: point.created for trend in trends.trends for point in trend.points}
    ordered = sorted(created, key=lambda run: (created[run], run))
    return {run: number for number, run in enumerate(ordered, 1)}


def group_scenarios(trends: Trends, numbers: Mapping[str, int], *, most: int = 4) -> list[ScenarioTrend]:
    """Each scenario, in the order measured; up to ``most`` series of its own are told apart.

    ``numbers`` are those of the runs.
    """
    grouped: dict[str, list[Trend]] = defaultdict(list)
    for trend in trends.trends:
        grouped[trend.scenario].append(trend)
    news = {id(each) for each in choose_trends(trends) if each.kind in _NEWS}
    found = []
    for scenario, several in grouped.items():
        mine = sorted((each for each in several if id(each) in news), key=_how_far)
        cells = [each for each in several if not each.baseline]
        levels = _levels(cells, numbers)
        found.append(
            ScenarioTrend(scenario, len(cells), levels, tuple(mine[:most]), max(0, len(mine) - most))
        )
    return found


def _how_far(trend: Trend) -> float:
    return -abs(math.log(trend.since or 1.0))


def _levels(several: Sequence[Trend], numbers: Mapping[str, int]) -> tuple[RunLevel, ...]:
    values: dict[int, list[float]] = defaultdict(list)
    for trend in several:
        for point in trend.points:
            values[numbers[point.run]].append(point.value)
    return tuple(RunLevel(place, *_quartiles(values[place])) for place in sorted(values))


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high
