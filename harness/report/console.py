"""Terminal text by rich: width, colour and alphabet, the planned cells, and the live board."""

from __future__ import annotations

import io
import statistics
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, get_args

import msgspec
from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.records import CellStatus
from harness.report.coverage import COVERAGE_LEGEND, describe_coverage, list_grids, list_ruled_out
from harness.report.escape import disarm_commands, scrub, shorten, to_ascii
from harness.report.view import SIGNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from harness.records import Plan, PlannedCell, Progress
    from harness.report.view import SignKind


# Text for terminals and logs

STYLES: dict[SignKind, str] = {
    "pass": "green",
    "note": "green",
    "xfail": "yellow",
    "red": "bold red",
    "missing": "magenta",
    "skip": "dim",
    "none": "dim",
}


@dataclass(frozen=True)
class Alphabet:
    """The character set of a terminal: Unicode, or ASCII only."""

    unicode: bool = True

    def text(self, text: str, style: str = "") -> Text:
        """Literal text, without interpretation as markup."""
        clean = scrub(text)
        return Text(clean if self.unicode else to_ascii(clean), style=style, overflow="fold")

    def indent(self, text: str, by: int = 2, style: str = "") -> Padding:
        """Literal text, indented by ``by`` columns."""
        return Padding(self.text(text, style), (0, 0, 0, by))

    def sign(self, kind: SignKind) -> str:
        """The sign of a kind in this alphabet."""
        return SIGNS[kind][0 if self.unicode else 1]


def print_to_text(renderable: RenderableType, *, width: int, color: bool, unicode: bool) -> str:
    """Render to text of a given width, without control sequences or CI commands from its content."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},  # the caller decides, so NO_COLOR, COLUMNS and TERM have no effect
    )
    console.print(renderable, end="")
    text = disarm_commands(file.getvalue())
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return lines if unicode else to_ascii(lines)


# Planned cells

_LEAST_BESIDE = 20
"""Columns reserved for the lock if ids are not wrapped; a whole id can be copied."""


_MANY = 7
"""Versions of an axis from which on columns of a grid are folded."""


class CellLine(msgspec.Struct, frozen=True, kw_only=True):
    """One planned cell in the JSON of ``harness cells``."""

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
    """Describe a planned cell in one line."""
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
    draw_text = Alphabet(unicode).text
    lines = [describe_cell(planned) for planned in plan.cells]
    pythons = list(dict.fromkeys(line.python for line in lines))
    longest = max((len(line.id) for line in lines), default=0)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    if plan.coverage is not None:
        table.add_column("#", justify="right")
    table.add_column("cell", overflow="fold", no_wrap=longest + _LEAST_BESIDE <= width)
    for name in ("python", "lock") if len(pythons) > 1 else ("lock",):
        table.add_column(name, overflow="fold")
    for number, line in enumerate(lines, 1):
        shown = [] if plan.coverage is None else [draw_text(str(number))]
        shown += [draw_text(line.id, "bold" if line.baseline else "")]
        shown += [draw_text(line.python)] if len(pythons) > 1 else []
        table.add_row(*shown, draw_text(_lock(line), "red" if line.reason else ""))
    python = f"Python {pythons[0]}, " if len(pythons) == 1 else ""
    title = draw_text(f"{plan.title}; {python}cells: {len(lines)}, latency scenarios: {len(plan.scenarios)}")
    covered = describe_coverage(plan)
    below = [Text(), draw_text(f"{covered}.")] if covered else []
    return print_to_text(Group(title, Text(), table, *below), width=width, color=color, unicode=unicode)


def render_coverage(plan: Plan, *, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """Render the cell of every combination of a covering array, and what is ruled out; empty without one."""
    if plan.coverage is None:
        return ""
    alphabet = Alphabet(unicode)
    parts: list[RenderableType] = [Text(), alphabet.text(f"In the tables, {COVERAGE_LEGEND}.", "dim")]
    for grid in list_grids(plan):
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for name in (*grid.axes[:-1], *grid.columns):
            table.add_column(alphabet.text(name), no_wrap=len(grid.columns) < _MANY)
        for down, entries in grid.rows:
            table.add_row(
                *(alphabet.text(text, "bold") for text in down),
                *(alphabet.text(each.word, STYLES[each.kind]) for each in entries),
            )
        parts += [Text(), alphabet.text(f"{' and '.join(grid.axes[:-1])}, by {grid.axes[-1]}", "bold"), table]
    for each in list_ruled_out(plan):
        parts += [Text(), alphabet.text(f"x{each.number}  {each.versions}", "bold")]
        parts.append(alphabet.indent(f"{each.by}: {shorten(each.reason, 300)}"))
    return print_to_text(Group(*parts), width=width, color=color, unicode=unicode)


def _lock(line: CellLine) -> str:
    if line.reason:
        return f"unsatisfiable: {shorten(line.reason, 200)}"
    notes = [f"{line.lock}, {line.distributions} pinned"]
    if line.baseline:
        notes.append("baseline")
    if line.same_as:
        notes.append(f"same as {line.same_as}")
    return ", ".join(notes)


FINAL: frozenset[str] = frozenset({*get_args(CellStatus), "reused"})
"""Final stages of a cell."""

WAITING = frozenset({"", "resolved", "planned", "waiting", "queued"})
"""Stages before a cell starts."""

CHECKED = FINAL | {"waiting", "latency"}
"""Stages after the checks of a cell; all cells wait for each other before latency begins."""


@dataclass(frozen=True)
class BoardState:
    """The last progress of every cell, and the start time (seconds on any clock).

    ``reported`` also holds the A/A arm, which is not planned: it is shown while active and never counted.
    ``usual`` are the seconds that the checks of cells took in earlier runs, ``jobs`` how many run at once.
    """

    cells: tuple[str, ...]
    started: float
    reported: dict[str, Progress]
    ended: dict[str, float]
    checked: dict[str, float]  # time at which the checks of a cell ended
    usual: Mapping[str, float] = field(default_factory=dict)
    jobs: int = 1

    @classmethod
    def of(
        cls, plan: Plan, started: float, usual: Mapping[str, float] | None = None, jobs: int = 1
    ) -> BoardState:
        """The board at the start."""
        cells = tuple(planned.cell.id for planned in plan.cells)
        return cls(cells, started, {}, {}, {}, usual or {}, jobs)

    def apply(self, progress: Progress, now: float) -> BoardState:
        """The board after a progress report; a final cell keeps its first time."""
        cell, stage = progress.cell, progress.stage
        return replace(
            self,
            reported={**self.reported, cell: progress},
            ended={cell: now, **self.ended} if stage in FINAL else self.ended,
            checked={cell: now, **self.checked} if stage in CHECKED else self.checked,
        )

    def stage(self, cell: str) -> str:
        """The stage of a cell; empty before its first report."""
        return self.reported[cell].stage if cell in self.reported else ""

    def note(self, cell: str) -> str:
        """The note of its last report; empty before its first report."""
        return self.reported[cell].note if cell in self.reported else ""

    @property
    def finished(self) -> tuple[str, ...]:
        """Planned cells with a final status."""
        return tuple(cell for cell in self.cells if self.stage(cell) in FINAL)

    @property
    def active(self) -> tuple[str, ...]:
        """Active cells, the longest running first."""
        return tuple(
            cell for cell, progress in self.reported.items() if progress.stage not in FINAL | WAITING
        )

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Planned cells with unfinished checks."""
        return tuple(cell for cell in self.cells if cell not in self.checked)

    def eta(self, now: float) -> float | None:
        """Estimated seconds until the current phase ends; None without an estimate.

        The checks of all cells come first, then latency. Cells that ended in the first second were reused
        and do not enter the estimate.
        """
        if not self.unchecked:
            return self._latency_eta(now)
        measured = [
            self.checked[cell] for cell in self.cells if self.checked.get(cell, 0.0) - self.started > 1.0
        ]
        if not measured:
            return self._usual_eta(now)
        per_cell = (max(measured) - self.started) / len(measured)
        return max(0.0, per_cell * len(self.unchecked) - (now - max(measured)))

    def _usual_eta(self, now: float) -> float | None:
        """Estimate from earlier runs; a cell that never ran counts as the median of the others."""
        if not self.usual:
            return None
        middle = statistics.median(self.usual.values())
        left = sum(self.usual.get(cell, middle) for cell in self.unchecked)
        return max(0.0, left / min(self.jobs, len(self.unchecked)) - (now - self.started))

    def _latency_eta(self, now: float) -> float | None:
        """Estimate from the share of finished scenarios; cells take turns, so all are in the same one."""
        shares = [
            self.reported[cell].done / self.reported[cell].total
            for cell in self.cells
            if self.stage(cell) == "latency" and self.reported[cell].total
        ]
        share = min(shares, default=0.0)
        since = max(self.checked.values(), default=self.started)
        return (now - since) * (1 - share) / share if share else None


def describe_wait(state: BoardState, progress: Progress) -> tuple[str, str]:
    """What is waited for after a progress report, and how far it is.

    That is the longest running cell, of the planned ones if there is a plan, or else what the report names.
    """
    if busy := find_busy(state):
        first = state.reported[busy[0]]
        more = f"and {len(busy) - 1} more" if len(busy) > 1 else ""
        what = f"{first.cell} {describe_stage(first.stage)}"
        return what, ", ".join(filter(None, [_how_far(first), more]))
    if not progress.cell:
        return progress.note, ""
    if progress.stage in FINAL | WAITING:
        return "the next step", ""
    return f"{progress.cell} {progress.stage}", _how_far(progress)


def find_busy(state: BoardState) -> tuple[str, ...]:
    """Active cells, the longest running first; only planned ones if there is a plan."""
    return tuple(cell for cell in state.active if not state.cells or cell in state.cells)


def describe_stage(stage: str) -> str:
    """Describe a stage; a cell has failed if a case is red, limits and known divergences aside."""
    return "red" if stage == "failed" else stage


def show_clock(seconds: float) -> str:
    """Format seconds as ``3:07``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def draw_board(state: BoardState, now: float, *, height: int = 24, unicode: bool = True) -> RenderableType:
    """Draw the board in at most ``height`` lines: counts, a bar, then the active cells."""
    done, total = len(state.finished), len(state.cells)
    eta = state.eta(now)
    left = f", about {show_clock(eta)} of {_phase(state)} left" if eta is not None and done < total else ""
    title = Text(f"{done} of {total} cells{_counts(state)}; {show_clock(now - state.started)} elapsed{left}")
    room = max(1, height - 4)  # the title can take two lines
    shown: Sequence[str] = state.active[: room if len(state.active) <= room else max(0, room - 1)]
    table = Table.grid(padding=(0, 2, 0, 0))
    for cell in shown:
        progress = state.reported[cell]
        table.add_row(
            *(
                _draw_text(part, unicode=unicode)
                for part in (cell, describe_stage(progress.stage), _how_far(progress), progress.host)
            )
        )
    bar = Table.grid()  # a bar alone has no line end
    bar.add_row(ProgressBar(total=max(1, total), completed=total - len(state.unchecked), width=60))
    parts: list[RenderableType] = [title, bar, table]
    if len(shown) < len(state.active):
        parts.append(Text(f"and {len(state.active) - len(shown)} more"))
    return Group(*parts)


def _draw_text(text: str, *, unicode: bool) -> Text:
    clean = shorten(text, 60)
    return Text(
        clean if unicode else to_ascii(clean), no_wrap=True, overflow="ellipsis" if unicode else "crop"
    )


def _phase(state: BoardState) -> str:
    return "checks" if state.unchecked else "latency"


def _counts(state: BoardState) -> str:
    """Count finished cells by status, and those waiting for latency: ``: 12 ok, 1 done, 3 checked``."""
    ends = Counter(describe_stage(state.stage(cell)) for cell in state.finished)
    ends["checked"] = len(state.cells) - len(state.unchecked) - len(state.finished)
    ends = +ends
    by_status = ", ".join(
        f"{count} {status}" for status, count in sorted(ends.items(), key=lambda end: end[0] != "ok")
    )
    return f": {by_status}" if by_status else ""


def _how_far(progress: Progress) -> str:
    far = f"{progress.done}/{progress.total}" if progress.total else ""
    return " ".join(filter(None, [far, progress.note]))


def plain_line(before: BoardState, progress: Progress, now: float) -> str | None:
    """The line of a plain log; None unless the stage or the note has changed.

    ``before`` is the board without this progress.
    """
    if before.stage(progress.cell) == progress.stage and progress.note in {"", before.note(progress.cell)}:
        return None
    after = before.apply(progress, now)
    count = f" ({len(after.finished)}/{len(after.cells)})" if progress.stage in FINAL else ""
    note = f" on {shorten(progress.host, 60)}" if progress.host else ""
    note += f": {shorten(progress.note, 200)}" if progress.note else ""
    clock = show_clock(now - before.started)
    return disarm_commands(
        f"[{clock:>5}] {shorten(progress.cell, 100)} "
        f"{shorten(describe_stage(progress.stage), 40)}{count}{note}"
    )
