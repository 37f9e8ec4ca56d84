"""The counts of the proof as a table."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from harness.proof.goals import Row

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
