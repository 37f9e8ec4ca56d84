"""Latency as every rendering shows it: one line for each scenario, over all cells."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.latency import session_floors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import LatencyRow, Run


@dataclass(frozen=True)
class ScenarioSummary:
    """A latency scenario over all cells but the baseline: ratios to it, and the floor as a factor >= 1."""

    scenario: str
    baseline_p50: float | None
    lowest: LatencyRow | None
    highest: LatencyRow | None
    median: float | None
    floor: float | None


def right_rows(run: Run) -> list[LatencyRow]:
    """Every time but those of embeddings that are not those of the baseline."""
    return [row for row in run.judgement.latency if not row.wrong]


def say_wrong(run: Run, limit: int = 3) -> str:
    """Which times of wrong embeddings are left out; empty where none are."""
    cells = list(dict.fromkeys(row.cell for row in run.judgement.latency if row.wrong))
    if not cells:
        return ""
    shown = ", ".join(cells[:limit]) + (f" and {len(cells) - limit} more" if len(cells) > limit else "")
    return f"How long {shown} took to embed is left out: what came out is not what the baseline embeds."


def summarize_latency(run: Run) -> list[ScenarioSummary]:
    """Each scenario that was timed, in the order of the plan."""
    grouped: dict[str, list[LatencyRow]] = defaultdict(list)
    for row in right_rows(run):
        grouped[row.scenario].append(row)
    return [_scenario(run, scenario, rows) for scenario, rows in grouped.items()]


def _scenario(run: Run, scenario: str, rows: Sequence[LatencyRow]) -> ScenarioSummary:
    base = next((row for row in rows if row.cell == run.plan.baseline), None)
    others = [row for row in rows if row.ratio is not None and row.cell != run.plan.baseline]
    ratios = [row.ratio for row in others if row.ratio is not None]
    floors = [row.floor for row in rows if row.floor is not None]
    return ScenarioSummary(
        scenario,
        None if base is None else base.p50,
        min(others, key=lambda row: row.ratio or 0.0, default=None),
        max(others, key=lambda row: row.ratio or 0.0, default=None),
        statistics.median(ratios) if ratios else None,
        max(floors, default=None),
    )


@dataclass(frozen=True)
class FamilySummary:
    """Scenarios that differ in their batch alone: the extremes of their ratios, and their floor."""

    name: str
    batches: tuple[str, ...]
    lowest: float | None
    highest: float | None
    floor: float | None


def summarize_families(run: Run) -> list[FamilySummary]:
    """Each family of scenarios that was timed, its batches in the order of the plan."""
    grouped: dict[str, list[ScenarioSummary]] = defaultdict(list)
    for each in summarize_latency(run):
        grouped[each.scenario.rpartition(".")[0]].append(each)
    return [_family(name, scenarios) for name, scenarios in grouped.items()]


def _family(name: str, scenarios: Sequence[ScenarioSummary]) -> FamilySummary:
    lowest = [each.lowest.ratio for each in scenarios if each.lowest and each.lowest.ratio is not None]
    highest = [each.highest.ratio for each in scenarios if each.highest and each.highest.ratio is not None]
    floors = [each.floor for each in scenarios if each.floor is not None]
    return FamilySummary(
        name,
        tuple(each.scenario.rpartition(".")[2] for each in scenarios),
        min(lowest, default=None),
        max(highest, default=None),
        max(floors, default=None),
    )


def noise_floor(run: Run) -> float | None:
    """The largest A/A deviation of all sessions and scenarios, as a factor >= 1; None without an A/A arm."""
    return max(session_floors(run.results).values(), default=None)


def show_seconds(seconds: float) -> str:
    """Seconds in the unit that a person reads: ``12.3 us``, ``1.25 ms``, ``2.5 s``."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def show_ratio(ratio: float | None) -> str:
    """A ratio to the baseline: ``1.05x``; a dash where there is none."""
    return "-" if ratio is None else f"{ratio:.2f}x"


def beyond_noise(row: LatencyRow) -> str:
    """An arrow where all of the middle half of the rounds lies beyond the noise floor."""
    if row.low is None or row.high is None or row.floor is None:
        return ""
    if row.low > row.floor:
        return " ▲"
    return " ▼" if row.high < 1 / row.floor else ""
