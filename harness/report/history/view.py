"""Texts and groups that all renderings of comparisons and trends share."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cell.interface import check_of
from harness.judge.compare import describe_change

if TYPE_CHECKING:
    from harness.records import (
        Comparison,
        Difference,
        DifferenceKind,
        PastRun,
        RunLevel,
        Trend,
        TrendKind,
        Trends,
    )


# Comparison: differences grouped by kind and cause, the worst first

TITLES: dict[DifferenceKind, str] = {
    "verdict-changed": "Verdict of the run",
    "status-changed": "Status of the cell",
    "new-red": "Newly red",
    "check-vanished": "No longer checked",
    "cell-vanished": "Removed cells",
    "outcome-changed": "Changed outcomes",
    "quantity-changed": "Latency and memory of the gate",
    "latency-changed": "Latency, as ratio to the baseline",
    "behaviour-changed": "Changed recorded behaviour",
    "value-moved": "Changed measured values",
    "allowed-changed": "Changed tolerances",
    "gone-red": "No longer red",
    "check-appeared": "New checks",
    "cell-appeared": "New cells",
    "lock-changed": "Locks",
    "surroundings-changed": "System and hardware of the cell",
}
"""Kind of difference -> title, in the order of importance."""

_WORDS: dict[DifferenceKind, tuple[str, str]] = {
    "verdict-changed": ("verdict is worse, though no cell is", "verdicts are worse"),
    "status-changed": ("cell has another status", "cells have another status"),
    "new-red": ("case is newly red", "cases are newly red"),
    "check-vanished": ("case is no longer checked", "cases are no longer checked"),
    "cell-vanished": ("cell was removed", "cells were removed"),
    "outcome-changed": ("case has a worse outcome", "cases have a worse outcome"),
    "quantity-changed": ("quantity is worse", "quantities are worse"),
    "latency-changed": ("latency is higher", "latencies are higher"),
    "cell-appeared": ("new cell is red", "new cells are red"),
    "behaviour-changed": ("behaviour changed", "behaviours changed"),
    "value-moved": ("value changed", "values changed"),
    "allowed-changed": ("tolerance changed", "tolerances changed"),
    "gone-red": ("case is no longer red", "cases are no longer red"),
    "check-appeared": ("case is new", "cases are new"),
    "lock-changed": ("lock changed", "locks changed"),
    "surroundings-changed": ("cell runs on another system", "cells run on another system"),
}


@dataclass(frozen=True)
class DifferenceGroup:
    """Differences of one kind, of one check, scenario or package, with the same likely causes."""

    kind: DifferenceKind
    name: str
    differences: tuple[Difference, ...]

    @property
    def worse(self) -> bool:
        """Whether a difference of the group makes the comparison fail."""
        return any(each.worse for each in self.differences)

    @property
    def example(self) -> Difference:
        """The difference to show: the largest change, if the group has ratios."""
        return max(self.differences, key=lambda each: abs((each.ratio or 1.0) - 1.0))

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells with a difference of this group."""
        return tuple(dict.fromkeys(each.cell for each in self.differences))

    @property
    def cases(self) -> int:
        """Number of cases over all cells."""
        return len(self.differences)


def group_differences(comparison: Comparison) -> dict[DifferenceKind, list[DifferenceGroup]]:
    """Group differences by kind, name and causes; worse groups come first."""
    grouped: dict[tuple[DifferenceKind, str, tuple[str, ...]], list[Difference]] = defaultdict(list)
    for each in comparison.differences:
        for name in _names(each):
            grouped[each.kind, name, each.causes].append(each)
    by_kind: dict[DifferenceKind, list[DifferenceGroup]] = {kind: [] for kind in TITLES}
    for (kind, name, _), several in grouped.items():
        by_kind[kind].append(DifferenceGroup(kind, name, tuple(several)))
    return {kind: sorted(groups, key=_order) for kind, groups in by_kind.items() if groups}


def list_worse(comparison: Comparison) -> list[DifferenceGroup]:
    """The groups that make the comparison fail, in the order of the kinds."""
    return [each for groups in group_differences(comparison).values() for each in groups if each.worse]


def _order(group: DifferenceGroup) -> tuple[bool, tuple[str, ...]]:
    return not group.worse, group.example.causes


def _names(difference: Difference) -> list[str]:
    if difference.kind == "lock-changed":
        return [describe_change(change) for change in difference.changes]
    if difference.kind in {"latency-changed", "quantity-changed"}:
        return [difference.what]
    if difference.kind == "surroundings-changed":
        return difference.after.split("; ")
    if not difference.what:
        change = " -> ".join(text for text in (difference.before, difference.after) if text)
        return [change]
    return [check_of(difference.what)]


def describe_comparison(comparison: Comparison) -> str:
    """Summarize in one sentence what got worse."""
    counts: dict[DifferenceKind, int] = defaultdict(int)
    for each in comparison.worse:
        counts[each.kind] += 1
    if not counts:
        rest = len(comparison.differences)
        other = f"; {rest} other difference{'' if rest == 1 else 's'}" if rest else ", nothing differs"
        return f"Nothing got worse{other}."
    parts = [f"{counts[kind]} {_WORDS[kind][counts[kind] > 1]}" for kind in TITLES if counts[kind]]
    return f"{'; '.join(parts)}."


def describe_compared(comparison: Comparison) -> str:
    """Describe how much was compared."""
    latency = f"{comparison.latency} latencies" if comparison.same_class else "no latency"
    return f"compared: {comparison.cells} cells, {comparison.cases} cases, {latency}"


def describe_run(run: PastRun) -> str:
    """Describe a run in one line."""
    commit = f", commit {run.commit[:10]}{'+' if '+' in run.commit else ''}" if run.commit else ""
    part = ", a part of it" if run.subset else ""
    return f"{run.run} ({run.kind} of {run.matrix}{part}{commit}): {run.verdict}"


def describe_cells(group: DifferenceGroup, total: int, limit: int = 3) -> str:
    """Describe the cells of a group: ``all 21 cells``, or the first few of them."""
    cells = group.cells
    if cells == ("",):
        return "the run as a whole"
    if len(cells) == total > 1 and group.kind not in {"cell-appeared", "cell-vanished"}:
        return "both cells" if total == 2 else f"all {total} cells"
    shown = ", ".join(cells[:limit])
    return f"{shown} and {len(cells) - limit} more" if len(cells) > limit else shown


TREND_TEXTS: dict[TrendKind, str] = {
    "steady": "within the noise",
    "stepped": "in one step",
    "crept": "drift in many small steps",
    "unclear": "neither a step nor drift",
}


def describe_kinds(trends: Trends) -> str:
    """Count the series by kind."""
    counts = Counter(trend.kind for trend in trends.trends)
    counted = (
        f"{counts[kind]} {'drifted' if kind == 'crept' else kind}" for kind in TREND_TEXTS if counts[kind]
    )
    return ", ".join(counted) or "no latency"


def choose_trends(trends: Trends, *, everything: bool = False) -> list[Trend]:
    """Choose the series with a known change, the slowest first; or all series."""
    shown = [each for each in trends.trends if everything or each.is_shown]
    return sorted(shown, key=_order_trends)


def _order_trends(trend: Trend) -> float:
    return -(trend.since or 0.0) if trend.kind != "steady" else 0.0


@dataclass(frozen=True)
class ScenarioTrend:
    """One scenario over all cells: its level in each run, and the series that changed most (``news``).

    ``left`` is the number of further changed series.
    """

    scenario: str
    cells: int
    levels: tuple[RunLevel, ...]
    news: tuple[Trend, ...]
    left: int


def group_scenarios(trends: Trends, *, most: int = 4) -> list[ScenarioTrend]:
    """Group trends by scenario, in the order of measurement, each with up to ``most`` changed series."""
    grouped: dict[str, list[Trend]] = defaultdict(list)
    for trend in trends.trends:
        grouped[trend.scenario].append(trend)
    found = []
    for scenario, several in grouped.items():
        news = sorted((each for each in several if each.is_news), key=_how_far)
        cells = sum(not each.baseline for each in several)
        levels = trends.levels.get(scenario, ())
        found.append(ScenarioTrend(scenario, cells, levels, tuple(news[:most]), max(0, len(news) - most)))
    return found


def _how_far(trend: Trend) -> float:
    return -abs(math.log(trend.since or 1.0))
