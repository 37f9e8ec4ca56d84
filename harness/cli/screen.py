"""Progress and results on the terminal; closed pipes do not end a command."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from harness.cli.rendering import find_page
from harness.cli.waiting import find_waiting
from harness.records import Earlier, Gate, Plan, Progress, Run
from harness.redaction import redact
from harness.report.console import (
    BoardState,
    describe_wait,
    draw_board,
    find_busy,
    plain_line,
    render_cells,
    render_coverage,
    show_clock,
)
from harness.report.escape import disarm_commands, to_ascii
from harness.report.gate.terminal import render_gate_text
from harness.report.terminal import render_text

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Pipe(io.FileIO):
    """A file descriptor that discards output once its reader has closed it."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or discard if the reader is gone; return the number of bytes either way."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


class _Output(io.TextIOWrapper):
    """Standard output or standard error, with credentials of addresses removed."""

    def write(self, text: str, /) -> int:
        """Write a text without its credentials; each call has a whole message."""
        super().write(redact(text))
        return len(text)


def tolerate_closed_pipes() -> None:
    """Let ``harness ... | head`` finish with its usual exit code.

    The exit code is the verdict and a sweep takes hours, so output after a closed pipe is discarded, where
    ``cat`` would end with SIGPIPE. A full disk is still an error.
    """
    sys.stdout, sys.stderr = _reopen(sys.stdout), _reopen(sys.stderr)


def supports_unicode(stream: TextIO | None) -> bool:
    """Whether a stream can show more than ASCII."""
    return (getattr(stream, "encoding", None) or "ascii").lower().startswith("utf")


def fit(text: str, stream: TextIO | None) -> str:
    """Text in the encoding of a stream; click would write UTF-8 to an ASCII stream."""
    return text if supports_unicode(stream) else to_ascii(text)


def print_aside(line: str) -> None:
    """Print a line on standard error, so that what a command prints can go to a file."""
    click.echo(fit(disarm_commands(line), sys.stderr), err=True)


def _reopen(stream: TextIO) -> TextIO:
    """The stream over a descriptor that discards after close; streams without a descriptor are unchanged."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        descriptor = stream.fileno()
    except OSError:
        return stream
    stream.flush()
    return _Output(
        io.BufferedWriter(_Pipe(descriptor, "wb", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",  # a sweep does not end because latin-1 has no ellipsis
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _say_resolved(progress: Progress) -> str | None:
    return disarm_commands(f"resolving {progress.cell}") if progress.stage == "resolving" else None


LOG_WIDTH = 100


class Screen:
    """Shows progress on a terminal as a board, elsewhere as one line for each change of stage.

    With ``aside`` progress goes to standard error, because standard output has the result.
    """

    def __init__(self, *, plain: bool, aside: bool = False) -> None:
        self._console = Console(stderr=False, highlight=False, soft_wrap=True)
        # FORCE_COLOR makes rich treat a log as a terminal.
        self._terminal = sys.stdout is not None and sys.stdout.isatty()
        drawn = self._console.is_terminal and self._console.is_interactive  # False if TERM is dumb
        self._live = self._terminal and drawn and not plain
        self._aside = aside
        self._waiting = find_waiting()
        self._state = BoardState((), time.monotonic(), {}, {}, {})  # before the plan: what is resolved

    @property
    def width(self) -> int:
        """Width of the output in columns."""
        return shutil.get_terminal_size((80, 24)).columns if self._terminal else LOG_WIDTH

    @property
    def color(self) -> bool:
        """Whether output is coloured: by terminal, NO_COLOR and FORCE_COLOR."""
        return self._console.color_system is not None and not self._console.no_color

    @property
    def unicode(self) -> bool:
        """Whether standard output can show more than ASCII."""
        return supports_unicode(sys.stdout)

    def notify(self, progress: Progress) -> None:
        """Show the progress of a cell."""
        now = time.monotonic()
        if progress.stage == "note":
            self._print(disarm_commands(f"note: {progress.note}"))
        elif progress.cell:
            line = plain_line(self._state, progress, now) if self._state.cells else _say_resolved(progress)
            self._state = self._state.apply(progress, now)
            if line is not None and not self._live:
                self._print(line)
        self._waiting.begin(*describe_wait(self._state, progress))

    def wait(self, what: str) -> None:
        """Wait for something that no cell does."""
        self.notify(Progress(cell="", stage="waiting", note=what))

    def _print(self, line: str) -> None:
        click.echo(fit(line, sys.stderr if self._aside else sys.stdout), err=self._aside)

    @contextlib.contextmanager
    def board(self, plan: Plan, usual: Mapping[str, float] | None = None, jobs: int = 1) -> Iterator[None]:
        """Show the plan, then the progress of every cell while the block runs.

        ``usual`` are the seconds that the checks of cells took before, ``jobs`` how many run at once.
        """
        click.echo(self.render_plan(plan), color=self.color)
        self._state = BoardState.of(plan, time.monotonic(), usual, jobs)
        eta = self._state.eta(time.monotonic())
        if eta is not None and not self._live:
            click.echo(
                f"the checks take at most about {show_clock(eta)}, by earlier runs; unchanged cells none"
            )
        self.wait("the model and the suite")
        if not self._live:
            yield
            return
        with Live(get_renderable=self._draw, console=self._console, refresh_per_second=4, transient=True):
            self._waiting.drawn = True
            try:
                yield
            finally:
                self._waiting.drawn = False

    def _draw(self) -> RenderableType:
        height = shutil.get_terminal_size((80, 24)).lines
        board = draw_board(self._state, time.monotonic(), height=height - 2, unicode=self.unicode)
        if find_busy(self._state):
            return board
        return Group(board, Text(fit(self._waiting.describe(), sys.stdout), no_wrap=True, overflow="crop"))

    def render_plan(self, plan: Plan) -> str:
        """Render the planned cells for this screen."""
        return render_cells(plan, width=self.width, color=self.color, unicode=self.unicode)

    def render_coverage(self, plan: Plan) -> str:
        """Render the combinations of a covering array for this screen; empty without one."""
        return render_coverage(plan, width=self.width, color=self.color, unicode=self.unicode)

    def show(self, run: Run, folder: Path, earlier: Earlier, *, verbose: bool = False) -> None:
        """Print the result of a run, the changes since the last one, and the path of the page."""
        text = render_text(
            run, earlier, width=self.width, color=self.color, unicode=self.unicode, verbose=verbose
        )
        click.echo(text, color=self.color)
        click.echo(f"The page: {folder / 'index.html'}")

    def show_gate(self, gate: Gate, folder: Path) -> None:
        """Print the decision of a gate and the paths of its comment and page."""
        text = render_gate_text(gate, width=self.width, color=self.color, unicode=self.unicode)
        click.echo(text, color=self.color)
        click.echo(f"The comment: {folder / 'gate.md'}")
        if (page := find_page(folder)).name != "gate.md":
            click.echo(f"The page: {page}")
