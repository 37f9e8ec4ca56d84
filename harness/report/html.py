"""The page that a person reads: self-contained, without scripts, allowed to load nothing."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.cell.catalogue import LAYERS
from harness.judge.claims import summarize_claim
from harness.report.differences import find_differences
from harness.report.escape import scrub, shorten
from harness.report.html_cells import anchor_cells, view_cells
from harness.report.html_latency import view_scenarios
from harness.report.latency_view import noise_floor, show_ratio, show_seconds
from harness.report.legend import LAYER_TITLES, describe_machine
from harness.report.margins import find_margins
from harness.report.recommended import read_code, recommend
from harness.report.red import list_red_checks
from harness.report.view import (
    LEGEND,
    SIGNS,
    SignKind,
    claim_example,
    claim_kind,
    count_verdicts,
    describe_locks,
    group_red,
    known_divergences,
    only_command,
)

if TYPE_CHECKING:
    from harness.records import Claim, Outcome, Run, Verdict
    from harness.report.differences import Difference

_HERE = Path(__file__).parent
_DIFFERENCES_SHOWN = 150

VERDICT_KINDS: dict[Verdict, SignKind] = {
    "pass": "pass",
    "regressed": "red",
    "inconclusive": "missing",
    "unsatisfiable": "xfail",
    "error": "red",
}
OUTCOME_KINDS: dict[Outcome, SignKind] = {
    "pass": "pass",
    "fail": "red",
    "error": "red",
    "skip": "skip",
    "xfail": "xfail",
    "xpass": "red",
    "missing": "missing",
}
_HOLDS: dict[bool | None, tuple[SignKind, str]] = {
    True: ("pass", "yes"),
    False: ("red", "no"),
    None: ("none", "not measured"),
}


def render_html(run: Run) -> str:
    """Render a judged run as one page of HTML."""
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, finalize=_clean
    )
    template = environment.get_template("report.html.j2")
    return template.render(
        style=style,
        style_hash=hash_style(style),
        **_view(run),
    )


def hash_style(style: str) -> str:
    """The source expression that lets exactly this style sheet into the page."""
    digest = hashlib.sha256(style.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _clean(value: object) -> object:
    """Scrub all text on its way into the page; autoescape comes after this."""
    return scrub(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _view(run: Run) -> dict[str, Any]:
    judgement, floor = run.judgement, noise_floor(run)
    differences = find_differences(run)
    spent = run.seconds.get("total", sum(run.seconds.values()))
    return {
        "plan": run.plan,
        "subset": run.plan.subset,
        "machine": describe_machine(run.plan.machine),
        "spent": show_seconds(spent) if spent else "",
        "signs": {kind: unicode for kind, (unicode, _) in SIGNS.items()},
        "legend": LEGEND,
        "layers": LAYERS,
        "verdict": {
            "kind": VERDICT_KINDS[judgement.verdict],
            "word": judgement.verdict.upper(),
            "sentence": shorten(judgement.sentence, 600),
        },
        "counts": count_verdicts(run),
        "locks": describe_locks(run),
        "cells": view_cells(run),
        "red": _red(run, anchor_cells(run)),
        "stale": judgement.stale_expectations,
        "known": _known(run),
        "recommended": recommend(run),
        "layer_titles": LAYER_TITLES,
        "recommended_code": read_code(),
        "claims": [_claim(run, claim) for claim in judgement.claims],
        "margins": find_margins(run),
        "scenarios": view_scenarios(run),
        "floor": show_ratio(floor) if floor is not None else "",
        "differences": [_difference(each) for each in differences[:_DIFFERENCES_SHOWN]],
        "differences_left": max(0, len(differences) - _DIFFERENCES_SHOWN),
    }


def _red(run: Run, anchors: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "status": group[0].status,
            "cells": [{"id": cell.cell, "anchor": anchors[cell.cell]} for cell in group],
            "reason": shorten(group[0].reason, 600),
            "advice": group[0].advice,
            "checks": list_red_checks(run, group[0].cell)[1:],
            "command": only_command(run, group[0].cell),
        }
        for group in group_red(run)
    ]


def _known(run: Run) -> list[dict[str, Any]]:
    links: dict[str, list[str]] = defaultdict(list)
    for expectation in (*run.plan.expectations, *run.plan.borrowed):
        if expectation.link and expectation.link not in links[expectation.reason]:
            links[expectation.reason].append(expectation.link)
    return [
        {
            "reason": each.reason,
            "links": links[each.reason],
            "checks": each.checks,
            "cells": each.cells,
            "cases": each.cases,
        }
        for each in known_divergences(run)
    ]


def _claim(run: Run, claim: Claim) -> dict[str, Any]:
    """A claim with the cells together that measured the same."""
    grouped: dict[tuple[bool | None, str], list[str]] = defaultdict(list)
    for row in claim.rows:
        grouped[row.holds, row.measured].append(row.cell)
    example = claim_example(run, claim)
    return {
        "text": claim.text,
        "kind": claim_kind(claim),
        "summary": summarize_claim(claim.rows),
        "example": f"{example.cell}: {shorten(example.measured)}" if example else "",
        "rows": [
            {"kind": _HOLDS[holds][0], "word": _HOLDS[holds][1], "measured": measured, "cells": cells}
            for (holds, measured), cells in grouped.items()
        ],
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "case": difference.case,
        "seen": [
            {
                "kind": OUTCOME_KINDS[seen.outcome],
                "outcome": seen.outcome,
                "sample": seen.sample,
                "cells": seen.cells,
            }
            for seen in difference.values
        ],
    }
