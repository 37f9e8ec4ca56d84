"""What the page shows of the comparison with the run before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.escape import shorten
from harness.report.past.compare_view import (
    TITLES,
    group_differences,
    say_cells,
    say_compared,
    say_comparison,
    say_run,
)

if TYPE_CHECKING:
    from harness.history_records import Comparison
    from harness.report.past.compare_view import DifferenceGroup

_GROUPS_SHOWN = 12


def view_changes(since: Comparison | None) -> dict[str, Any] | None:
    """The sentence, what was compared with what, and the differences, the worst first; None without one."""
    if since is None:
        return None
    kinds = [
        {
            "title": TITLES[kind],
            "groups": [_group(group, since.cells) for group in groups[:_GROUPS_SHOWN]],
            "left": max(0, len(groups) - _GROUPS_SHOWN),
        }
        for kind, groups in group_differences(since).items()
    ]
    return {
        "kind": "red" if since.worse else "pass",
        "word": _say_verdict(since),
        "sentence": say_comparison(since),
        "before": say_run(since.before),
        "compared": say_compared(since),
        "notes": since.notes,
        "kinds": kinds,
    }


def _say_verdict(since: Comparison) -> str:
    """What may be said of the cells that both runs have, and of how many that is."""
    said, all_cells = "worse" if since.worse else "nothing worse", since.after.cells
    return said if since.cells == all_cells else f"{said} in {since.cells} of {all_cells} cells"


def _group(group: DifferenceGroup, cells: int) -> dict[str, Any]:
    example = group.example
    moved = " \N{RIGHTWARDS ARROW} ".join(filter(None, (example.before, example.after)))
    return {
        "name": group.name,
        "worse": group.worse,
        "moved": shorten(moved) if example.what else "",
        "cells": say_cells(group, cells),
        "causes": "; ".join(example.causes),
    }
