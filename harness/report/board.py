"""The live board of a sweep, from the progress that cells report: a pure state, and what it looks like."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.records import CellStatus
from harness.report.escape import disarm_commands, shorten, to_ascii

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from harness.records import Plan, Progress

FINAL: frozenset[str] = frozenset({*get_args(CellStatus), "reused"})
"""Stages after which nothing more comes from a cell."""

WAITING = frozenset({"", "planned", "waiting", "queued"})
"""Stages in which a cell does nothing yet."""

CHECKED = FINAL | {"waiting", "latency"}
"""Stages in which the checks of a cell are over: all cells wait for each other before latency begins."""


@dataclass(frozen=True)
class BoardState:
    """Where every cell is: the last progress of each, and when (seconds on any clock) it all began.

    ``reported`` holds cells that nobody planned too (the A/A arm); they show while active and do not count.
    """

    cells: tuple[str, ...]
    started: float
    reported: dict[str, Progress]
    ended: dict[str, float]
    checked: dict[str, float]  # when the checks of a cell were over

    @classmethod
    def of(cls, plan: Plan, started: float) -> BoardState:
        """The board before anything has happened."""
        return cls(tuple(planned.cell.id for planned in plan.cells), started, {}, {}, {})

    def apply(self, progress: Progress, now: float) -> BoardState:
        """The board after a cell has reported; one that was final before stays counted from then."""
        cell, stage = progress.cell, progress.stage
        return replace(
            self,
            reported={**self.reported, cell: progress},
            ended={cell: now, **self.ended} if stage in FINAL else self.ended,
            checked={cell: now, **self.checked} if stage in CHECKED else self.checked,
        )

    def stage(self, cell: str) -> str:
        """What a cell does; empty before it has said anything."""
        return self.reported[cell].stage if cell in self.reported else ""

    def note(self, cell: str) -> str:
        """What it said about that; empty before it has said anything."""
        return self.reported[cell].note if cell in self.reported else ""

    @property
    def finished(self) -> tuple[str, ...]:
        """Planned cells that have their status."""
        return tuple(cell for cell in self.cells if self.stage(cell) in FINAL)

    @property
    def active(self) -> tuple[str, ...]:
        """Cells that do something right now, the longest at it first."""
        return tuple(
            cell for cell, progress in self.reported.items() if progress.stage not in FINAL | WAITING
        )

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Planned cells whose checks are not over."""
        return tuple(cell for cell in self.cells if cell not in self.checked)

    def eta(self, now: float) -> float | None:
        """Seconds until the phase that runs is over, should the rest take as long; None while nobody knows.

        The checks of all cells come first, then latency. Cells that ended in the first second were reused and
        say nothing of how long one takes.
        """
        if not self.unchecked:
            return self._latency_eta(now)
        measured = [
            self.checked[cell] for cell in self.cells if self.checked.get(cell, 0.0) - self.started > 1.0
        ]
        if not measured:
            return None
        per_cell = (max(measured) - self.started) / len(measured)
        return max(0.0, per_cell * len(self.unchecked) - (now - max(measured)))

    def _latency_eta(self, now: float) -> float | None:
        """By the share of scenarios that are done; they take turns, so all cells are in the same one."""
        shares = [
            self.reported[cell].done / self.reported[cell].total
            for cell in self.cells
            if self.stage(cell) == "latency" and self.reported[cell].total
        ]
        share = min(shares, default=0.0)
        since = max(self.checked.values(), default=self.started)
        return (now - since) * (1 - share) / share if share else None


def say_stage(stage: str) -> str:
    """A stage as a person reads it: whether what did not pass was expected is known at the end only."""
    return "done" if stage == "failed" else stage


def show_clock(seconds: float) -> str:
    """Minutes and seconds: ``3:07``."""
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
            *(_say(part, unicode=unicode) for part in (cell, say_stage(progress.stage), _how_far(progress)))
        )
    bar = Table.grid()  # a bar alone does not end its line
    bar.add_row(ProgressBar(total=max(1, total), completed=total - len(state.unchecked), width=60))
    parts: list[RenderableType] = [title, bar, table]
    if len(shown) < len(state.active):
        parts.append(Text(f"and {len(state.active) - len(shown)} more"))
    return Group(*parts)


def _say(text: str, *, unicode: bool) -> Text:
    clean = shorten(text, 60)
    return Text(
        clean if unicode else to_ascii(clean), no_wrap=True, overflow="ellipsis" if unicode else "crop"
    )


def _phase(state: BoardState) -> str:
    return "checks" if state.unchecked else "latency"


def _counts(state: BoardState) -> str:
    """How the finished ones ended, and how many wait for latency: ``: 12 ok, 1 done, 3 checked``."""
    ends = Counter(say_stage(state.stage(cell)) for cell in state.finished)
    ends["checked"] = len(state.cells) - len(state.unchecked) - len(state.finished)
    ends = +ends
    said = ", ".join(
        f"{count} {status}" for status, count in sorted(ends.items(), key=lambda end: end[0] != "ok")
    )
    return f": {said}" if said else ""


def _how_far(progress: Progress) -> str:
    far = f"{progress.done}/{progress.total}" if progress.total else ""
    return " ".join(filter(None, [far, progress.note]))


def plain_line(before: BoardState, progress: Progress, now: float) -> str | None:
    """The line for a log without a terminal; None unless the cell has come to another stage or has news.

    ``before`` is the board as it was before this progress was applied to it.
    """
    if before.stage(progress.cell) == progress.stage and progress.note in {"", before.note(progress.cell)}:
        return None
    after = before.apply(progress, now)
    count = f" ({len(after.finished)}/{len(after.cells)})" if progress.stage in FINAL else ""
    note = f": {shorten(progress.note, 200)}" if progress.note else ""
    clock = show_clock(now - before.started)
    return disarm_commands(
        f"[{clock:>5}] {shorten(progress.cell, 100)} {shorten(say_stage(progress.stage), 40)}{count}{note}"
    )
