"""Sections of the page over all cells: red cells, expectations, claims, differences, and the grid."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.cell.interface import QUESTIONS, check_of
from harness.judge.claims import summarize_claim
from harness.report.checks import OUTCOME_KINDS, Seen, find_differences
from harness.report.escape import shorten, without_texts
from harness.report.grid import CellNames, lay_out, order_version
from harness.report.headline import view_slots
from harness.report.page.cell_details import ANSWER_KINDS, anchor_cells
from harness.report.view import (
    SignKind,
    axis_names,
    claim_example,
    claim_kind,
    findings_by_cell,
    group_red,
    known_divergences,
    list_red_checks,
    only_command,
    status_word,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.records import Answered, Claim, Run


_GROUPS_SHOWN, _ROWS_SHOWN = 30, 25
"""Limits of the groups of cells that differ, and of the rows of each."""

_CHECKS_IN_ALL = 1000
"""Limit of red checks over all groups; with individual messages there are as many groups as cells."""

_HOLDS: dict[bool | None, tuple[SignKind, str]] = {
    True: ("pass", "yes"),
    False: ("red", "no"),
    None: ("none", "not measured"),
}


def view_red(run: Run) -> list[dict[str, Any]]:
    """View the red cells, grouped by reason."""
    anchors, groups, findings = anchor_cells(run), group_red(run), findings_by_cell(run)
    room = max(3, _CHECKS_IN_ALL // max(1, len(groups)))
    found = []
    for group in groups:
        checks = list_red_checks(findings.get(group[0].cell, []))[1:]
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
    """View known divergences by reason, with the links of their expectations."""
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
    """View the documented claims, with cells grouped by measurement."""
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
                "cells": names.describe(cells),
            }
            for (holds, measured), cells in grouped.items()
        ],
    }


def view_differences(run: Run) -> dict[str, Any]:
    """View the checks on which cells differ, grouped by the cells in which they do."""
    names, numbers = CellNames.of(run), {cell.cell: at for at, cell in enumerate(run.judgement.cells)}
    groups: dict[frozenset[str], dict[tuple[Seen, Seen], list[str]]] = defaultdict(lambda: defaultdict(list))
    for difference in find_differences(run):
        most = max(difference.values, key=lambda seen: len(seen.cells))
        for seen in difference.values:
            if seen is not most:
                alike = _without_cells(seen), _without_cells(most)
                groups[frozenset(seen.cells)][alike].append(difference.case)
    ordered = sorted(groups.items(), key=lambda item: -sum(map(len, item[1].values())))
    return {
        "differences": [
            {
                **_view_group(names, cells, rows),
                "numbers": " ".join(str(numbers[cell]) for cell in sorted(cells, key=numbers.__getitem__)),
            }
            for cells, rows in ordered[:_GROUPS_SHOWN]
        ]
    }


STORED = ("before", "ranking")
"""The questions on which an index depends that was made before an upgrade."""


def view_stored(run: Run) -> list[dict[str, Any]]:
    """View what becomes of an index: the answers to the questions on it, each with the cells that have it."""
    names = CellNames.of(run)
    grouped: dict[tuple[str, Answered, str], dict[str, str]] = defaultdict(dict)
    for cell in run.judgement.cells:
        for each in cell.answers:
            if each.question in STORED and each.answer != "not asked":
                told = shorten(without_texts("; ".join(filter(None, (each.remark, each.because)))), 240)
                grouped[each.question, each.answer, _COUNT.sub("", told)][cell.cell] = told
    order = sorted(grouped.items(), key=lambda item: (STORED.index(item[0][0]), item[0][1] == "yes"))
    return [
        {
            "title": QUESTIONS[question],
            "kind": ANSWER_KINDS[answer],
            "answer": answer,
            "because": because or _show_largest(told.values()),
            "cells": names.describe(list(told)),
        }
        for (question, answer, because), told in order[:_GROUPS_SHOWN]
    ]


_COUNT = re.compile(r",? ?distance (\S+) (\(allowed: \S+\))|,? ?\d+ cases?$")
"""Numbers that differ from cell to cell in an answer that is the same."""


def _show_largest(told: Collection[str]) -> str:
    """The answer with the largest distance, of answers that have nothing but numbers."""
    found = [(float(match[1]), match[2]) for each in told if (match := _COUNT.match(each)) and match[1]]
    if not found:
        return next(iter(told))
    largest, allowed = max(found)
    return f"distance at most {largest:.2g} {allowed}"


def _without_cells(seen: Seen) -> Seen:
    return replace(seen, cells=())


def _view_group(
    names: CellNames, cells: frozenset[str], rows: Mapping[tuple[Seen, Seen], Sequence[str]]
) -> dict[str, Any]:
    """View the checks that differ in one group of cells; cases with the same results share a row."""
    shown = [
        {
            "checks": list(dict.fromkeys(check_of(case) for case in cases)),
            "here": _view_seen(here),
            "there": _view_seen(there),
        }
        for (here, there), cases in rows.items()
    ]
    checks = len({check for row in shown for check in row["checks"]})
    cases = sum(map(len, rows.values()))
    return {
        "where": names.describe(sorted(cells)),
        "title": f"{cases} case{'' if cases == 1 else 's'} of {checks} check{'' if checks == 1 else 's'}",
        "rows": shown[:_ROWS_SHOWN],
        "left": max(0, len(shown) - _ROWS_SHOWN),
    }


def _view_seen(seen: Seen) -> dict[str, str]:
    return {"kind": OUTCOME_KINDS[seen.outcome], "outcome": seen.outcome, "sample": seen.sample}


# Grid and filters


def view_map(run: Run) -> dict[str, Any]:
    """View the grids with the cells of each slot."""
    anchors, shown = anchor_cells(run), view_slots(run)
    slots = {
        cell.cell: {
            "id": cell.cell,
            "number": number,
            "anchor": anchors[cell.cell],
            "kind": shown[cell.cell].kind,
            "text": shown[cell.cell].text,
        }
        for number, cell in enumerate(run.judgement.cells)
    }
    found = lay_out(run)
    return {
        "row_axis": found.row_axis,
        "column_axis": found.column_axis,
        "facets": [
            {
                "title": facet.title,
                "columns": facet.columns,
                "rows": [
                    {
                        "value": row.value,
                        "slots": [[slots[cell] for cell in slot if cell in slots] for slot in row.slots],
                    }
                    for row in facet.rows
                ],
            }
            for facet in found.facets
        ],
    }


def view_filter(run: Run) -> dict[str, Any]:
    """View the choices of the filters: every status, and every axis with its versions."""
    axes = {
        axis: {planned.cell.axes.get(axis, "-") for planned in run.plan.cells} for axis in axis_names(run)
    }
    return {
        "statuses": list(dict.fromkeys(status_word(cell) for cell in run.judgement.cells)),
        "axes": [
            {"name": axis, "values": sorted(values, key=order_version)} for axis, values in axes.items()
        ],
    }
