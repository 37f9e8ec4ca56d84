"""The normalizer that the report recommends: where it is, what it held in this run, its cost, its code."""

from __future__ import annotations

import ast
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.latency_view import show_ratio

if TYPE_CHECKING:
    from harness.records import Run

DOTTED = "harness.cell.normalizers:stable"
FILE = "harness/cell/normalizers.py"

_SOURCE = Path(__file__).parents[1] / "cell" / "normalizers.py"
"""Read, never imported: it needs NumPy, which the controller does without."""

_NOT_SHOWN = "manual"
_DECIDED = {"pass", "xfail", "fail", "error", "xpass"}


@dataclass(frozen=True)
class Recommendation:
    """What there is to say of it; ``measured`` has a sentence for each thing that this run measured of it."""

    advice: str
    measured: tuple[str, ...]


def recommend(run: Run) -> Recommendation:
    """Where to find ``stable`` and how to use it, with what this run measured of it."""
    passed, decided = _count(run)
    right = "keeps the dtype and is right for zero, tiny, huge and mixed rows"
    if passed["stable"] < decided["stable"]:
        right = "is meant to keep the dtype and be right for every row, but was not in all of this run"
    advice = (
        f"`{DOTTED}` {right}. Copy it from {FILE} "
        f'(it needs NumPy alone), or name it in a matrix: [subject] normalizer = "{DOTTED}".'
    )
    return Recommendation(advice, tuple(filter(None, [_say_held(passed, decided), _cost(run)])))


def _count(run: Run) -> tuple[Counter[str], Counter[str]]:
    """Cases that passed, and that were decided, of it and the formula against the oracle, by normalizer.

    Parity tells of the reference too, so it is left out.
    """
    passed: Counter[str] = Counter()
    decided: Counter[str] = Counter()
    for finding in run.judgement.findings:
        name = next((part for part in finding.check.split("/") if part in {"stable", "manual"}), "")
        if finding.layer == "L0" and finding.outcome in _DECIDED and "parity" not in finding.check:
            decided[name] += 1
            passed[name] += finding.outcome == "pass"
    return passed, decided


def _say_held(passed: Counter[str], decided: Counter[str]) -> str:
    if not decided["stable"]:
        return ""
    beside = f", the manual formula {passed['manual']} of {decided['manual']}" if decided["manual"] else ""
    return f"Held to the oracle, it passes {passed['stable']} of {decided['stable']} cases{beside}."


def _cost(run: Run) -> str:
    """Its time over that of the formula: the median over cells of each scenario, from lowest to highest."""
    p50 = {(row.cell, row.scenario): row.p50 for row in run.judgement.latency}
    ratios: dict[str, list[float]] = defaultdict(list)
    for (cell, scenario), seconds in p50.items():
        formula = p50.get((cell, scenario.replace(".stable.", ".manual.")))
        if ".stable." in scenario and formula:
            ratios[scenario].append(seconds / formula)
    if not ratios:
        return ""
    medians = [statistics.median(each) for each in ratios.values()]
    return (
        f"It takes {show_ratio(min(medians))} to {show_ratio(max(medians))} the time of the manual formula "
        f"(medians over the cells; scenarios: {len(medians)}, timed one after the other; python -m "
        "harness.cell.speed times the two in turns, and so more exactly)."
    )


def read_code() -> str:
    """Its source as it can be pasted into a service: the suite's file without the other normalizer."""
    text = _SOURCE.read_text(encoding="utf-8")
    kept = [
        node
        for node in ast.parse(text).body[1:]  # the first is the docstring of the module
        if not (isinstance(node, ast.FunctionDef) and node.name == _NOT_SHOWN)
    ]
    gaps = ("\n\n\n" if isinstance(node, ast.FunctionDef) else "\n" for node in kept)
    parts = (gap + (ast.get_source_segment(text, node) or "") for gap, node in zip(gaps, kept, strict=True))
    return "".join(parts).lstrip() + "\n"
