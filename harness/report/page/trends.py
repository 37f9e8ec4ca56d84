"""What the page shows of trends: how latency moved over the runs before this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.escape import shorten
from harness.report.latency_view import show_ratio
from harness.report.page.measured import view_plot
from harness.report.past.trends_view import WORDS, choose_trends, group_scenarios, number_runs, say_kinds
from harness.report.plots.trends import plot_trends

if TYPE_CHECKING:
    from harness.history_records import ChangePoint, Trend, Trends
    from harness.report.past.trends_view import ScenarioTrend

_ROWS_SHOWN = 40


def view_trends(trends: Trends | None) -> dict[str, Any] | None:
    """The sentence, a plot for each scenario, and what changed as a table; None without trends."""
    if trends is None or not trends.trends:
        return None
    numbers, moved = number_runs(trends), choose_trends(trends)
    scenarios = group_scenarios(trends, numbers)
    timed = list(numbers)
    sentence = (
        f"{len(timed)} sessions timed {len(trends.trends)} series on this class of machine, "
        f"from {timed[0]} to {timed[-1]}: {say_kinds(trends)}."
    )
    return {
        "kind": "red" if any(each.kind != "steady" and (each.since or 1) > 1 for each in moved) else "pass",
        "word": f"{len(moved)} changed" if moved else "nothing changed",
        "sentence": sentence,
        "reference": trends.reference,
        "pinned": trends.pinned,
        "notes": [note.split("`") for note in trends.notes],  # words and commands by turns
        "plot": view_plot(
            plot_trends(scenarios, numbers, numbers.get(trends.reference)),
            title="Ratio to the baseline by session, each scenario", key="trends", said=sentence,
        ),
        "hidden": sum(each.left for each in scenarios),
        "moved": [_moved(each) for each in moved[:_ROWS_SHOWN]],
        "left": max(0, len(moved) - _ROWS_SHOWN),
        "scenarios": [_scenario(each) for each in scenarios if each.levels],
    }  # fmt: skip


def _moved(trend: Trend) -> dict[str, Any]:
    return {
        "slower": trend.kind != "steady" and (trend.since or 1) > 1,
        "scenario": shorten(trend.scenario),
        "cell": shorten(trend.cell),
        "own": trend.baseline,
        "since": show_ratio(trend.since),
        "noise": show_ratio(trend.beyond),
        "how": WORDS[trend.kind],
        "a_run": f"{trend.a_run.ratio:.4f}x" if trend.kind == "crept" and trend.a_run else "",
        "changes": [_change(each) for each in trend.changes],
    }


def _change(change: ChangePoint) -> dict[str, str]:
    return {
        "ratio": show_ratio(change.ratio),
        "run": change.first,
        "command": f"harness compare {change.last} {change.first}",
    }


def _scenario(scenario: ScenarioTrend) -> dict[str, Any]:
    medians = [level.median for level in scenario.levels]
    return {
        "name": scenario.scenario,
        "cells": scenario.cells,
        "first": show_ratio(medians[0]),
        "lowest": show_ratio(min(medians)),
        "highest": show_ratio(max(medians)),
        "now": show_ratio(medians[-1]),
    }
