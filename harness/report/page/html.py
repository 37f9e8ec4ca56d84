"""The page that a person reads: self-contained, allowed to load nothing and to run its own script alone."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.cell.catalogue import LAYERS
from harness.history_records import Earlier
from harness.report.escape import scrub, shorten
from harness.report.latency_view import show_seconds
from harness.report.legend import LAYER_TITLES, describe_machine
from harness.report.margins import find_margins
from harness.report.page.cells import view_cells, view_shared_facts
from harness.report.page.changes import view_changes
from harness.report.page.findings import view_claims, view_differences, view_known, view_red
from harness.report.page.latency import view_latency
from harness.report.page.map import view_filter, view_map
from harness.report.page.measured import view_parity, view_precision
from harness.report.page.trends import view_trends
from harness.report.recommended import read_code, recommend
from harness.report.red import count_kinds
from harness.report.view import LEGEND, SIGNS, SignKind, count_verdicts, describe_locks, say_skipped

if TYPE_CHECKING:
    from harness.records import Run, Verdict

_PAGE = Path(__file__).parent / "templates"
_FIRST = Earlier()

VERDICT_KINDS: dict[Verdict, SignKind] = {
    "pass": "pass",
    "regressed": "red",
    "inconclusive": "missing",
    "unsatisfiable": "xfail",
    "error": "red",
}


def render_html(run: Run, earlier: Earlier = _FIRST) -> str:
    """Render a judged run as one page of HTML, with what ``earlier`` runs tell of it."""
    style, script = ((_PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "filter.js"))
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, finalize=_clean
    )
    return environment.get_template("index.html.j2").render(
        style=style,
        style_hash=hash_source(style),
        script=script,
        script_hash=hash_source(script),
        **_view(run, earlier),
    )


def hash_source(text: str) -> str:
    """The source expression that lets exactly this style sheet or script into the page."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _clean(value: object) -> object:
    """Scrub all text on its way into the page; autoescape comes after this."""
    return scrub(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _view(run: Run, earlier: Earlier) -> dict[str, Any]:
    view = {
        **_top(run),
        "changes": view_changes(earlier.since),
        **view_filter(run),
        "map": view_map(run),
        "cells": view_cells(run),
        "shared_facts": view_shared_facts(run),
        "red": view_red(run),
        "stale": run.judgement.stale_expectations,
        "known": view_known(run),
        "recommended": recommend(run),
        "recommended_code": read_code(),
        "claims": view_claims(run),
        "margins": find_margins(run),
        "precision": view_precision(run),
        **view_parity(run),
        **view_latency(run),
        "trends": view_trends(earlier.trends),
        **view_differences(run),
    }
    return {**view, "sections": _sections(view)}


def _top(run: Run) -> dict[str, Any]:
    judgement = run.judgement
    spent = run.seconds.get("total", sum(run.seconds.values()))
    return {
        "plan": run.plan,
        "subset": run.plan.subset,
        "machine": describe_machine(run.plan.machine),
        "spent": show_seconds(spent) if spent else "",
        "signs": {kind: unicode for kind, (unicode, _) in SIGNS.items()},
        "legend": LEGEND,
        "layers": LAYERS,
        "layer_titles": LAYER_TITLES,
        "verdict": {
            "kind": VERDICT_KINDS[judgement.verdict],
            "word": judgement.verdict.upper(),
            "sentence": shorten(judgement.sentence, 600),
        },
        "red_kinds": count_kinds(run),
        "counts": count_verdicts(run),
        "skipped": say_skipped(run),
        "locks": describe_locks(run),
    }


def _sections(view: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that this page has, for the links at its top: anchor and words."""
    links = (
        ("changes", "Since the last run", view["changes"]),
        ("cells", "Compatibility", True),
        ("red", "Red", view["red"]),
        ("layers", "Layers", True),
        ("expectations", "Expectations", view["stale"] or view["known"]),
        ("precision", "Precision", True),
        ("recommended", "Recommended normalizer", True),
        ("parity", "Parity", True),
        ("margins", "Margins", view["margins"]),
        ("differences", "Differences", view["differences"]),
        ("claims", "Claims", True),
        ("latency", "Latency", True),
        ("trends", "Trends", view["trends"]),
        ("details", "Each cell", True),
    )
    return [(anchor, words) for anchor, words, there in links if there]
