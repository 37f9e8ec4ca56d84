"""The list of past runs for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from harness.report.escape import shorten
from harness.report.terminal import Alphabet, print_to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.history_records import PastRun

_STYLES = {"pass": "green", "regressed": "bold red", "error": "bold red"}


def render_history_text(
    runs: Sequence[PastRun], *, width: int = 80, color: bool = False, unicode: bool = True
) -> str:
    """Render past runs, one a row, in the order in which they come; ``*`` marks a pinned one."""
    alphabet = Alphabet(unicode)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("run", overflow="fold", no_wrap=False)
    table.add_column("when (UTC)", min_width=10)
    for name in ("matrix", "verdict"):
        table.add_column(name, overflow="fold")
    table.add_column("cells", justify="right")
    table.add_column("red", overflow="fold")
    for run in runs:
        table.add_row(
            alphabet.say(f"{'* ' if run.pinned else ''}{shorten(run.run)}"),
            alphabet.say(run.created[:16].replace("T", " ")),
            alphabet.say(shorten(run.matrix)),
            alphabet.say(run.verdict, _STYLES.get(run.verdict, "yellow")),
            alphabet.say(str(run.cells)),
            alphabet.say(_say_red(run)),
        )
    return print_to_text(table, width=width, color=color, unicode=unicode)


def _say_red(run: PastRun) -> str:
    if not run.red_cells:
        return "-"
    kinds = ", ".join(f"{outcome} {count}" for outcome, count in run.red.items())
    return f"{run.red_cells}: {kinds}" if kinds else str(run.red_cells)
