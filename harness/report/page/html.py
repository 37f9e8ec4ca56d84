"""The HTML page of a sweep: self-contained, without external resources, with its own scripts only."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.cell.interface import LAYERS
from harness.records import Earlier, describe_isolation, describe_machine
from harness.report.coverage import COVERAGE_LEGEND, describe_coverage, list_grids, list_ruled_out
from harness.report.escape import scrub, shorten
from harness.report.explain import explain_named
from harness.report.grid import CellNames
from harness.report.headline import find_headline, view_tiles
from harness.report.history.view import (
    TITLES,
    TREND_TEXTS,
    choose_trends,
    describe_cells,
    describe_compared,
    describe_comparison,
    describe_kinds,
    describe_run,
    group_differences,
    group_scenarios,
)
from harness.report.latency_view import show_ratio, show_seconds
from harness.report.notes import list_notes
from harness.report.page.cell_details import ANSWER_KINDS, anchor_cells, view_cells, view_shared_facts
from harness.report.page.findings import (
    view_claims,
    view_differences,
    view_filter,
    view_known,
    view_map,
    view_red,
    view_stored,
)
from harness.report.page.latency import view_latency, view_parity, view_plot, view_precision
from harness.report.parity import find_margins
from harness.report.plots.trends import plot_trend
from harness.report.precision import read_code, recommend
from harness.report.questions import describe_baseline, describe_service, list_limits, list_questions
from harness.report.view import (
    LAYER_TITLES,
    LEGEND,
    MAP_LEGEND,
    SIGNS,
    count_kinds,
    count_verdicts,
    describe_locks,
    describe_skipped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import ChangePoint, Comparison, Run, Trend, Trends
    from harness.report.history.view import DifferenceGroup, ScenarioTrend


# Changes since the last run

_GROUPS_SHOWN = 12


def view_changes(since: Comparison | None, names: CellNames) -> dict[str, Any] | None:
    """View the comparison with the last run, the worst differences first; None without a comparison."""
    if since is None:
        return None
    grouped = group_differences(since)
    causes = [found for groups in grouped.values() for group in groups if (found := group.example.causes)]
    shared = tuple(cause for cause in causes[0] if all(cause in each for each in causes)) if causes else ()

    def describe_where(group: DifferenceGroup) -> str:
        ran = set(group.cells) <= names.axes.keys()
        return names.describe(group.cells) if ran else describe_cells(group, since.cells)

    kinds = [
        {
            "title": TITLES[kind],
            "groups": [_group(group, describe_where(group), shared) for group in groups[:_GROUPS_SHOWN]],
            "left": max(0, len(groups) - _GROUPS_SHOWN),
        }
        for kind, groups in grouped.items()
    ]
    return {
        "kind": "red" if since.worse else "pass",
        "word": _describe_verdict(since),
        "sentence": describe_comparison(since),
        "before": describe_run(since.before),
        "compared": describe_compared(since),
        "notes": since.notes,
        "causes": "; ".join(shared),
        "kinds": kinds,
    }


def _describe_verdict(since: Comparison) -> str:
    """Describe the result of a comparison, with the number of cells if both runs share only some."""
    result, all_cells = "worse" if since.worse else "nothing worse", since.after.cells
    return result if since.cells == all_cells else f"{result} in {since.cells} of {all_cells} cells"


def _group(group: DifferenceGroup, where: str, shared: Sequence[str]) -> dict[str, Any]:
    example = group.example
    moved = " \N{RIGHTWARDS ARROW} ".join(filter(None, (example.before, example.after)))
    return {
        "name": group.name,
        "worse": group.worse,
        "moved": shorten(moved) if example.what else "",
        "cells": where,
        "causes": "; ".join(cause for cause in example.causes if cause not in shared),
    }


# Trends

_ROWS_SHOWN = 40


def view_trends(trends: Trends | None) -> dict[str, Any] | None:
    """View trends: summary, a plot for each scenario, a table of changed series; None without trends."""
    if trends is None or not trends.trends:
        return None
    numbers = {run: number for number, run in enumerate(trends.timed, 1)}
    timed, moved, scenarios = trends.timed, choose_trends(trends), group_scenarios(trends)
    sentence = (
        f"{len(timed)} sessions timed {len(trends.trends)} series on this class of machine, "
        f"from {timed[0]} to {timed[-1]}: {describe_kinds(trends)}."
    )
    return {
        "kind": "red" if any(each.kind != "steady" and (each.since or 1) > 1 for each in moved) else "pass",
        "word": f"{len(moved)} changed" if moved else "nothing changed",
        "sentence": sentence,
        "reference": trends.reference,
        "pinned": trends.pinned,
        "notes": [note.split("`") for note in trends.notes],  # text and commands alternate
        "plots": [
            view_plot(
                plot_trend(each, numbers, numbers.get(trends.reference)),
                title=each.scenario,
                key=f"trend-{place}",
                summary="Ratio to the baseline by session.",
            )
            for place, each in enumerate(scenarios)
        ],
        "hidden": sum(each.left for each in scenarios),
        "moved": [_moved(each) for each in moved[:_ROWS_SHOWN]],
        "left": max(0, len(moved) - _ROWS_SHOWN),
        "scenarios": [_scenario(each) for each in scenarios if each.levels],
    }


def _moved(trend: Trend) -> dict[str, Any]:
    return {
        "slower": trend.kind != "steady" and (trend.since or 1) > 1,
        "scenario": shorten(trend.scenario),
        "cell": shorten(trend.cell),
        "own": trend.baseline,
        "since": show_ratio(trend.since),
        "noise": show_ratio(trend.beyond),
        "how": TREND_TEXTS[trend.kind],
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


_PAGE = Path(__file__).parent / "templates"
_FIRST = Earlier()


def render_html(run: Run, earlier: Earlier = _FIRST, files: Sequence[str] = ()) -> str:
    """Render a judged run as one page of HTML.

    Args:
        run: the judged run.
        earlier: the comparison with earlier runs.
        files: names of the files beside the page, to which it links.
    """
    return render_template("index.html.j2", scripts=("page.js", PLOTS), files=files, **_view(run, earlier))


PLOTS = "plots.js"
"""The script that shows the values of plots."""


def render_template(name: str, *, scripts: Sequence[str], **view: object) -> str:
    """Render a template with its scripts and the style of all pages; every text is scrubbed and escaped."""
    style = (_PAGE / "page.css").read_text(encoding="utf-8")
    script = "".join((_PAGE / each).read_text(encoding="utf-8") for each in scripts)
    policy = (
        f"default-src 'none'; style-src '{hash_source(style)}'; script-src '{hash_source(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _load_environment().get_template(name).render(style=style, script=script, policy=policy, **view)


@cache
def _load_environment() -> Environment:
    """The templates, compiled once: that takes longer than rendering a gate, which writes its page twice."""
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, finalize=_clean
    )
    environment.filters["breakable"] = _allow_breaks
    return environment


def _allow_breaks(name: str) -> Markup:
    """Let a long id break after its separators, so that no word of it is broken."""
    return Markup("<wbr>").join(part for part in _SEPARATORS.split(scrub(name)) if part)


_SEPARATORS = re.compile(r"(?<=[_/])")


def hash_source(text: str) -> str:
    """The source expression of the content security policy that allows this style sheet or script."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _clean(value: object) -> object:
    """Scrub a value for the page, before autoescaping."""
    return scrub(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _view(run: Run, earlier: Earlier) -> dict[str, Any]:
    view = {
        **_top(run),
        "changes": view_changes(earlier.since, CellNames.of(run)),
        **view_filter(run),
        "map": view_map(run),
        "cells": view_cells(run),
        "shared_facts": view_shared_facts(run),
        "red": view_red(run),
        "stale": run.judgement.stale_expectations,
        "known": view_known(run),
        "limits": list_limits(run.judgement.findings),
        "notes": list_notes(run),
        "recommended": recommend(run),
        "recommended_code": read_code(),
        "stored": view_stored(run),
        "explained": explain_named(each.check for each in run.judgement.findings),
        "claims": view_claims(run),
        "coverage": _coverage(run),
        "margins": find_margins(run),
        "precision": view_precision(run),
        **view_parity(run),
        **view_latency(run),
        "trends": view_trends(earlier.trends),
        **view_differences(run),
    }
    return {**view, "sections": _sections(view)}


def _top(run: Run) -> dict[str, Any]:
    spent = run.seconds.get("total", sum(run.seconds.values()))
    return {
        "plan": run.plan,
        "subset": run.plan.subset,
        "machine": describe_machine(run.plan.machine),
        "isolation": describe_isolation(run.plan.isolation),
        "spent": show_seconds(spent) if spent else "",
        "signs": {kind: unicode for kind, (unicode, _) in SIGNS.items()},
        "legend": LEGEND,
        "layers": LAYERS,
        "layer_titles": LAYER_TITLES,
        "headline": find_headline(run),
        "tiles": view_tiles(run),
        "map_legend": MAP_LEGEND,
        "service": describe_service(run.plan.service),
        "baseline": describe_baseline(run),
        "questions": [(ANSWER_KINDS[row.answer], row) for row in list_questions(run)],
        "red_kinds": count_kinds(run),
        "counts": count_verdicts(run),
        "skipped": describe_skipped(run),
        "locks": describe_locks(run),
    }


def _coverage(run: Run) -> dict[str, Any] | None:
    if run.plan.coverage is None:
        return None
    return {
        "sentence": describe_coverage(run.plan),
        "legend": COVERAGE_LEGEND,
        "grids": list_grids(run.plan),
        "ruled_out": list_ruled_out(run.plan),
        "anchors": anchor_cells(run),
    }


SECTIONS = (
    ("map", "Map"),
    ("answers", "Answers"),
    ("changes", "Since the last run"),
    ("breaks", "What breaks"),
    ("stored", "Ranking and stored vectors"),
    ("latency", "Cost"),
    ("trends", "Trends"),
    ("normalizers", "Normalizers"),
    ("method", "Method"),
    ("details", "Every cell"),
)
"""Anchors and titles of the sections, by question; those of other runs are there if these are."""


def _sections(view: dict[str, Any]) -> list[tuple[str, str]]:
    """The anchors and titles of the sections of this page."""
    return [(anchor, title) for anchor, title in SECTIONS if view.get(anchor, True)]
