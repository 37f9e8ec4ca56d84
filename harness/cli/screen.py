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
from rich.console import Console, RenderableType
from rich.live import Live

from harness.cli.rendering import find_page
from harness.records import Earlier, Gate, Plan, Progress, Run
from harness.redaction import redact
from harness.report.console import (
    BoardState,
    draw_board,
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


LOG_WIDTH = 100


class Screen:
    """Shows progress on a terminal as a board, elsewhere as one line for each change of stage."""

    def __init__(self, *, plain: bool) -> None:
        self._console = Console(stderr=False, highlight=False, soft_wrap=True)
        # FORCE_COLOR makes rich treat a log as a terminal.
        self._terminal = sys.stdout is not None and sys.stdout.isatty()
        drawn = self._console.is_terminal and self._console.is_interactive  # False if TERM is dumb
        self._live = self._terminal and drawn and not plain
        self._state: BoardState | None = None

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
            click.echo(fit(disarm_commands(f"note: {progress.note}"), sys.stdout))
        elif self._state is None:
            self._describe_resolved(progress)
        else:
            line = plain_line(self._state, progress, now)
            self._state = self._state.apply(progress, now)
            if line is not None and not self._live:
                click.echo(fit(line, sys.stdout))

    def _describe_resolved(self, progress: Progress) -> None:
        if progress.stage == "resolving" and not self._live:
            click.echo(fit(f"resolving {progress.cell}", sys.stdout))

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
