"""From the history to trends: what each session measured, change points, then judged."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.history.database import Say, read_history
from harness.history.reading import list_runs
from harness.history.series import Timed, count_rebased, read_series
from harness.history.since import list_before
from harness.history_records import PastRun, Snapshot, TrendPoint, Trends
from harness.judge.snapshot import summarize_snapshot
from harness.judge.trends import NEWEST, Key, Move, collect_points, find_move, judge_trend, place_of

if TYPE_CHECKING:
    from harness.judge.changes import Changes

_ALPHA = 0.01
"""That any of all series is said to creep without doing so."""

_Series = tuple[Key, bool]
"""Cell and scenario, and whether the cell is the baseline."""

_FEWEST = NEWEST + 1
"""Sessions without which the page of a run says nothing of trends: a reference, and the newest after it."""


@dataclass(frozen=True)
class Past:
    """The runs of a matrix on one class of machine, what they timed, both the oldest first.

    ``others`` is how many sweeps of it there are on other machines, ``rebased`` how many on this class of
    machine were held against another baseline.
    """

    runs: tuple[PastRun, ...]
    timed: tuple[Timed, ...]
    others: int
    rebased: int


def make_trends(path: Path, matrix: str | None, say: Say) -> Trends:
    """The trends of a matrix (the one swept last, if none is named) on the machine class of its newest run.

    Raises:
        UsageError: no sweep of it is in the history.
        MachineError: the history cannot be read, or holds a value that is no number.
    """
    with read_history(path, say) as connection:
        past = _read_newest(connection, matrix)
    if past is None:
        of = f" of {matrix}" if matrix else ""
        raise UsageError(f"{path}: no sweep{of} in the history; `harness history` lists what there is")
    return judge_past(past)


def _read_newest(connection: sqlite3.Connection, matrix: str | None) -> Past | None:
    runs = [run for run in list_runs(connection, matrix) if run.kind == "sweep"]
    if not runs:
        return None
    newest = runs[0]
    same = [run for run in runs if run.matrix == newest.matrix]
    mine = [run for run in same if run.machine_class == newest.machine_class]
    timed = read_series(connection, newest.matrix, newest.machine_class)
    rebased = count_rebased(connection, newest.matrix, newest.machine_class, timed)
    return Past(tuple(reversed(mine)), tuple(timed), len(same) - len(mine), rebased)


def read_until(connection: sqlite3.Connection, own: Snapshot) -> Past | None:
    """The past of a sweep that ends with itself, recorded or not; None where too little was timed for trends.

    A sweep that timed nothing has no trends: they would be those of another.
    """
    if own.kind != "sweep" or not own.latency:
        return None
    recorded = [run for run in list_runs(connection, own.matrix) if run.kind == "sweep"]
    timed = read_series(connection, own.matrix, own.machine_class, own)
    if len({each.run for each in timed}) < _FEWEST:
        return None
    pinned = any(run.pinned for run in recorded if run.run == own.run)
    runs = (*reversed(list_before(connection, own)), summarize_snapshot(own, pinned=pinned))
    others = sum(run.machine_class != own.machine_class for run in recorded)
    rebased = count_rebased(connection, own.matrix, own.machine_class, timed)
    return Past(runs, tuple(timed), others, rebased)


def judge_past(past: Past) -> Trends:
    """What became of every series.

    Raises:
        MachineError: a value of the history is no finite number.
    """
    runs = past.runs
    pinned = [run.run for run in runs if run.pinned]
    timed = {each.run for each in past.timed}
    reference = pinned[-1] if pinned else next((run.run for run in runs if run.run in timed), runs[0].run)
    order = {run.run: place for place, run in enumerate(runs)}
    points = collect_points(past.timed)
    places = {key: place_of(reference, points[key], order) for key in points}
    moves = {key: find_move(points[key], places[key]) for key in points}
    changed = _find_changes(points, places, moves)
    return Trends(
        matrix=runs[-1].matrix,
        machine_class=runs[-1].machine_class,
        runs=len(runs),
        reference=reference,
        pinned=bool(pinned),
        trends=tuple(judge_trend(key, points[key], places[key], moves[key], changed[key]) for key in points),
        notes=tuple(_say_notes(past, pinned=bool(pinned))),
    )


def _find_changes(
    points: Mapping[_Series, Sequence[TrendPoint]],
    places: Mapping[_Series, int],
    moves: Mapping[_Series, Move | None],
) -> dict[_Series, Changes]:
    """Change points of every series; a slope, which takes longest, of those alone that moved beyond noise."""
    from harness.judge.changes import find_changes  # noqa: PLC0415 - SciPy takes a second to import

    if not points:
        return {}
    names = {str(place): key for place, key in enumerate(points)}
    logs = {name: [math.log(point.value) for point in points[key]] for name, key in names.items()}
    since = {name: places[key] for name, key in names.items() if (move := moves[key]) and not move.is_noise}
    found = find_changes(logs, since, confidence=1 - _ALPHA / len(logs))
    return {key: found[name] for name, key in names.items()}


def _say_notes(past: Past, *, pinned: bool) -> Iterator[str]:
    if not pinned:
        yield (
            "no run on this class of machine is pinned, so the first is the reference; "
            "`harness history --pin RUN` names a release"
        )
    if past.others:
        noun = "run" if past.others == 1 else "runs"
        yield f"left out, for on other classes of machine: {past.others} {noun}"
    if past.rebased:
        noun = "run" if past.rebased == 1 else "runs"
        yield f"left out, for held against another baseline: {past.rebased} {noun}"
    if not past.timed:
        yield "no run measured latency with a noise floor"
