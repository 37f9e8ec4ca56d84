"""The counts of the proof as a table."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from proof.goals import Row

ASSUMED = """
Simulated gates draw anew which process of a recorded block is which arm: so identical environments are
exactly alike in them. They tell how often the decision is wrong on such noise, and nothing of a bias between
arms; that is for the real gates. A gate that never decides is never wrong, so most identical ones have to
pass.
Real gates with a planted slow-down judge the normalizer alone (latency and memory), within 120 s, or within
600 s with a threshold of 3%; identical ones judge everything, and their candidate has files of its own, as
what an upgrade brings has."""
"""Printed below the table: what its numbers rest on."""

WORDS = {True: "held", False: "MISSED", None: ""}


def render_rows(rows: Sequence[Row], *, width: int = 130) -> str:
    """One line a count: what, how many of how many, the goal, whether it is held, and more to know."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("what", "count", "goal", "", ""):
        table.add_column(name)
    for row in rows:
        table.add_row(row.what, f"{row.count} of {row.gates}", row.goal, WORDS[row.holds], row.note)
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"
