"""The planned cells, as ``harness cells`` shows them before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.report.escape import shorten
from harness.report.terminal import Alphabet, print_to_text

if TYPE_CHECKING:
    from harness.records import Plan, PlannedCell


_LEAST_BESIDE = 20
"""Columns that are left for the lock where an id is not broken, so that it can be copied."""


class CellLine(msgspec.Struct, frozen=True, kw_only=True):
    """One planned cell, as the JSON of ``harness cells`` says it."""

    id: str
    axes: dict[str, str]
    python: str
    baseline: bool
    lock: str  # "committed", "resolved" or "unsatisfiable"
    reason: str
    distributions: int
    cases: int
    same_as: str | None


def describe_cell(planned: PlannedCell) -> CellLine:
    """What there is to say of a planned cell in one line."""
    cell, lock = planned.cell, planned.lock
    return CellLine(
        id=cell.id,
        axes=cell.axes,
        python=cell.python,
        baseline=cell.baseline,
        lock="unsatisfiable" if lock.reason else lock.origin,
        reason=lock.reason,
        distributions=len(lock.distributions),
        cases=len(planned.cases),
        same_as=planned.same_as,
    )


def render_cells_json(plan: Plan) -> str:
    """Render the planned cells as JSON: a list of ``CellLine``, in the order of the plan."""
    lines = [describe_cell(planned) for planned in plan.cells]
    return msgspec.json.format(msgspec.json.encode(lines), indent=1).decode("utf-8") + "\n"


def render_cells(plan: Plan, *, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """Render the planned cells as a table for a terminal ``width`` columns wide."""
    say = Alphabet(unicode).say
    lines = [describe_cell(planned) for planned in plan.cells]
    pythons = list(dict.fromkeys(line.python for line in lines))
    longest = max((len(line.id) for line in lines), default=0)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("cell", overflow="fold", no_wrap=longest + _LEAST_BESIDE <= width)
    for name in ("python", "lock") if len(pythons) > 1 else ("lock",):
        table.add_column(name, overflow="fold")
    for line in lines:
        shown = [say(line.id, "bold" if line.baseline else "")]
        shown += [say(line.python)] if len(pythons) > 1 else []
        table.add_row(*shown, say(_lock(line), "red" if line.reason else ""))
    python = f"Python {pythons[0]}, " if len(pythons) == 1 else ""
    title = say(f"{plan.title}; {python}cells: {len(lines)}, latency scenarios: {len(plan.scenarios)}")
    return print_to_text(Group(title, Text(), table), width=width, color=color, unicode=unicode)


def _lock(line: CellLine) -> str:
    if line.reason:
        return f"unsatisfiable: {shorten(line.reason, 200)}"
    notes = [f"{line.lock}, {line.distributions} pinned"]
    if line.baseline:
        notes.append("baseline")
    if line.same_as:
        notes.append(f"same as {line.same_as}")
    return ", ".join(notes)
