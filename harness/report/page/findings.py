"""What the page shows of findings over all cells: red, expected, claims, and where cells differ."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.judge.claims import summarize_claim
from harness.report.cell_names import CellNames
from harness.report.check_rows import OUTCOME_KINDS
from harness.report.differences import find_differences
from harness.report.escape import shorten
from harness.report.page.cells import anchor_cells
from harness.report.red import list_red_checks
from harness.report.view import (
    SignKind,
    claim_example,
    claim_kind,
    group_red,
    known_divergences,
    only_command,
)

if TYPE_CHECKING:
    from harness.records import Claim, Run

_DIFFERENCES_SHOWN = 150
_CHECKS_IN_ALL = 1000
"""Red checks over all groups of cells: where each fails with words of its own there are as many as cells."""

_HOLDS: dict[bool | None, tuple[SignKind, str]] = {
    True: ("pass", "yes"),
    False: ("red", "no"),
    None: ("none", "not measured"),
}


def view_red(run: Run) -> list[dict[str, Any]]:
    """The red cells, those together that are red for the same reason."""
    anchors, groups = anchor_cells(run), group_red(run)
    room = max(3, _CHECKS_IN_ALL // max(1, len(groups)))
    found = []
    for group in groups:
        checks = list_red_checks(run, group[0].cell)[1:]
        found.append(
            {
                "status": group[0].status,
                "cells": [{"id": cell.cell, "anchor": anchors[cell.cell]} for cell in group],
                "reason": shorten(group[0].reason, 600),
                "advice": group[0].advice,
                "checks": checks[:room],
                "checks_left": max(0, len(checks) - room),
                "command": only_command(run, group[0].cell),
            }
        )
    return found


def view_known(run: Run) -> list[dict[str, Any]]:
    """What diverges as expected, by reason, with the links of its expectations."""
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


def view_claims(run: Run) -> list[dict[str, Any]]:
    """The documented claims, with the cells together that measured the same."""
    names = CellNames.of(run)
    return [_claim(run, claim, names) for claim in run.judgement.claims]


def _claim(run: Run, claim: Claim, names: CellNames) -> dict[str, Any]:
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
            {
                "kind": _HOLDS[holds][0],
                "word": _HOLDS[holds][1],
                "measured": measured,
                "cells": names.say(cells),
            }
            for (holds, measured), cells in grouped.items()
        ],
    }


def view_differences(run: Run) -> dict[str, Any]:
    """Cases on which cells differ, and how many more there are than the page has room for."""
    found, names = find_differences(run), CellNames.of(run)
    return {
        "differences": [
            {
                "case": difference.case,
                "seen": [
                    {
                        "kind": OUTCOME_KINDS[seen.outcome],
                        "outcome": seen.outcome,
                        "sample": seen.sample,
                        "cells": names.say(seen.cells),
                    }
                    for seen in difference.values
                ],
            }
            for difference in found[:_DIFFERENCES_SHOWN]
        ],
        "differences_left": max(0, len(found) - _DIFFERENCES_SHOWN),
    }
