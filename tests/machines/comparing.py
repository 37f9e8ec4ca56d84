"""Whether two runs of the same cells say the same, case by case, and the table of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from harness.records import Run

KINDS = {
    "verdict": "verdict and sentence",
    "cells": "cells: status, red, usable",
    "keys": "keys of results",
    "answers": "answers",
    "cases": "cases: outcome",
    "findings": "judged cases: outcome, severity",
}
"""What is compared, each under names that both runs share."""

_SHOWN = 20


def list_outcomes(run: Run) -> dict[str, dict[str, Any]]:
    """What a run says, by kind and name: no numbers that differ from one measuring to the next."""
    judged = run.judgement
    return {
        "verdict": {"all cells": (judged.verdict, judged.sentence)},
        "cells": {each.cell: (each.status, each.red, each.usable) for each in judged.cells},
        "keys": {each.cell: each.key for each in run.results},
        "answers": {
            f"{each.cell}: {one.question}": one.answer for each in judged.cells for one in each.answers
        },
        "cases": {f"{each.cell}: {case.id}": case.outcome for each in run.results for case in each.cases},
        "findings": {f"{each.cell}: {each.check}": (each.outcome, each.severity) for each in judged.findings},
    }


def find_differences(run: Run, other: Run) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Kind -> name -> what each of two runs says, where that differs; None: a run does not have it."""
    there, here = list_outcomes(run), list_outcomes(other)
    return {
        kind: {
            name: (there[kind].get(name), here[kind].get(name))
            for name in dict.fromkeys([*there[kind], *here[kind]])
            if there[kind].get(name) != here[kind].get(name)
        }
        for kind in KINDS
    }


def render_comparison(alone: Run, others: Mapping[str, Run]) -> tuple[str, bool]:
    """The table of how many outcomes differ from those of one machine, and whether any does."""
    differing = {way: find_differences(alone, run) for way, run in others.items()}
    lines = [f"{'the same sweep':<34}{'one machine':>12}" + "".join(f"{way:>20}" for way in others)]
    for kind, title in KINDS.items():
        counts = "".join(f"{f'{len(found[kind])} differ':>20}" for found in differing.values())
        lines.append(f"{title:<34}{len(list_outcomes(alone)[kind]):>12,}{counts}")
    statuses = Counter(each.status for each in alone.judgement.cells)
    lines.append("cells by status: " + ", ".join(f"{count} {status}" for status, count in statuses.items()))
    lines.append(f"one machine: {alone.judgement.verdict}: {alone.judgement.sentence}")
    told = [
        f"{way}: {KINDS[kind]}: {name}: {one!r} on one machine, {other!r} here"
        for way, found in differing.items()
        for kind, names in found.items()
        for name, (one, other) in names.items()
    ]
    lines += told[:_SHOWN]
    if len(told) > _SHOWN:
        lines.append(f"and {len(told) - _SHOWN} more differences")
    return "\n".join(lines) + "\n", bool(told)
