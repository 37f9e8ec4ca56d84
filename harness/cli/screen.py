"""What a person sees while a sweep runs and when it is over: a live board, or plain lines in a log."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console, RenderableType
from rich.live import Live

from harness.cli.output import fit, knows_unicode
from harness.gate_records import Gate
from harness.history_records import Earlier
from harness.records import Plan, Progress, Run
from harness.report.board import BoardState, draw_board, plain_line
from harness.report.cells import render_cells
from harness.report.escape import disarm_commands
from harness.report.gate.text import render_gate_text
from harness.report.text import render_text

LOG_WIDTH = 100


class Screen:
    """Shows progress on a terminal as a board, elsewhere as one line for each change of stage."""

    def __init__(self, *, plain: bool) -> None:
        self._console = Console(stderr=False, highlight=False, soft_wrap=True)
        # Not only what rich takes for a terminal: FORCE_COLOR makes it take a log for one.
        self._terminal = sys.stdout is not None and sys.stdout.isatty()
        drawn = self._console.is_terminal and self._console.is_interactive  # not where TERM is dumb
        self._live = self._terminal and drawn and not plain
        self._state: BoardState | None = None
        self._resolved = 0

    @property
    def width(self) -> int:
        """Columns to write in."""
        return shutil.get_terminal_size((80, 24)).columns if self._terminal else LOG_WIDTH

    @property
    def color(self) -> bool:
        """Whether to write in colours: on a terminal that has them, and as NO_COLOR and FORCE_COLOR say."""
        return self._console.color_system is not None and not self._console.no_color

    @property
    def unicode(self) -> bool:
        """Whether standard output can show more than ASCII."""
        return knows_unicode(sys.stdout)

    def notify(self, progress: Progress) -> None:
        """Take note of where a cell is."""
        now = time.monotonic()
        if progress.stage == "note":
            click.echo(fit(disarm_commands(f"note: {progress.note}"), sys.stdout))
        elif self._state is None:
            self._say_resolved(progress)
        else:
            line = plain_line(self._state, progress, now)
            self._state = self._state.apply(progress, now)
            if line is not None and not self._live:
                click.echo(fit(line, sys.stdout))

    def _say_resolved(self, progress: Progress) -> None:
        if progress.stage == "resolving" and not self._live:
            click.echo(fit(f"resolving {progress.cell}", sys.stdout))

    @contextlib.contextmanager
    def board(self, plan: Plan) -> Iterator[None]:
        """Show the plan, then, as long as the block runs, what every cell does."""
        click.echo(self.render_plan(plan), color=self.color)
        self._state = BoardState.of(plan, time.monotonic())
        if not self._live:
            yield
            return
        with Live(get_renderable=self._draw, console=self._console, refresh_per_second=4, transient=True):
            yield

    def _draw(self) -> RenderableType:
        assert self._state is not None  # noqa: S101 - set before the board is drawn
        height = shutil.get_terminal_size((80, 24)).lines
        return draw_board(self._state, time.monotonic(), height=height - 1, unicode=self.unicode)

    def render_plan(self, plan: Plan) -> str:
        """The planned cells, for this screen."""
        return render_cells(plan, width=self.width, color=self.color, unicode=self.unicode)

    def show(self, run: Run, folder: Path, earlier: Earlier) -> None:
        """The result of a run, what changed since the last, and where the rest of it lies."""
        text = render_text(run, earlier, width=self.width, color=self.color, unicode=self.unicode)
        click.echo(text, color=self.color)
        click.echo(f"the page: {folder / 'index.html'}")

    def show_gate(self, gate: Gate, folder: Path) -> None:
        """What a gate decided, and where the rest of it lies."""
        text = render_gate_text(gate, width=self.width, color=self.color, unicode=self.unicode)
        click.echo(text, color=self.color)
        click.echo(f"the comment: {folder / 'gate.md'}")
