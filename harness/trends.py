"""From the history to trends: what each session measured, change points from the statistics, then judged."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.history.database import Say, read_history
from harness.history.reading import list_runs
from harness.history.series import Timed, read_series, time_last
from harness.history.since import list_before
from harness.history_records import PastRun, Snapshot, Trends
from harness.judge.snapshot import summarize_snapshot
from harness.judge.trends import NEWEST, collect_points, judge_trend, place_of
from harness.run.changes import find_changes

_ALPHA = 0.01
"""That any of all series is said to creep without doing so."""

_FEWEST = NEWEST + 1
"""Sessions without which the page of a run says nothing of trends: a reference, and the newest after it."""


@dataclass(frozen=True)
class Past:
    """The runs of a matrix on one class of machine, what they timed, both the oldest first.

    ``others`` is how many sweeps of it there are on other machines.
    """

    runs: tuple[PastRun, ...]
    timed: tuple[Timed, ...]
    others: int


async def make_trends(path: Path, matrix: str | None, say: Say) -> Trends:
    """The trends of a matrix (the one swept last, if none is named) on the machine class of its newest run.

    Raises:
        UsageError: no sweep of it is in the history.
        MachineError: the history cannot be read, or the statistics could not be had.
    """
    with read_history(path, say) as connection:
        past = _read_newest(connection, matrix)
    if past is None:
        of = f" of {matrix}" if matrix else ""
        raise UsageError(f"{path}: no sweep{of} in the history; `harness history` lists what there is")
    return await judge_past(past)


def _read_newest(connection: sqlite3.Connection, matrix: str | None) -> Past | None:
    runs = [run for run in list_runs(connection, matrix) if run.kind == "sweep"]
    if not runs:
        return None
    newest = runs[0]
    same = [run for run in runs if run.matrix == newest.matrix]
    mine = [run for run in same if run.machine_class == newest.machine_class]
    timed = read_series(connection, newest.matrix, newest.machine_class)
    return Past(tuple(reversed(mine)), tuple(timed), len(same) - len(mine))


def read_until(connection: sqlite3.Connection, own: Snapshot) -> Past | None:
    """The past of a sweep that ends with itself, recorded or not; None where too little was timed for trends.

    A sweep that timed nothing has no trends: they would be those of another.
    """
    if own.kind != "sweep" or not own.latency:
        return None
    recorded = [run for run in list_runs(connection, own.matrix) if run.kind == "sweep"]
    timed = time_last(read_series(connection, own.matrix, own.machine_class), own)
    if len({each.run for each in timed}) < _FEWEST:
        return None
    pinned = any(run.pinned for run in recorded if run.run == own.run)
    runs = (*reversed(list_before(connection, own)), summarize_snapshot(own, pinned=pinned))
    others = sum(run.machine_class != own.machine_class for run in recorded)
    return Past(runs, tuple(timed), others)


async def judge_past(past: Past) -> Trends:
    """What became of every series.

    Raises:
        MachineError: the statistics could not be had.
    """
    runs = past.runs
    pinned = [run.run for run in runs if run.pinned]
    reference = pinned[-1] if pinned else runs[0].run
    order = {run.run: place for place, run in enumerate(runs)}
    points = collect_points(past.timed)
    names = {str(place): key for place, key in enumerate(points)}
    since = {name: place_of(reference, points[key], order) for name, key in names.items()}
    logs = {name: [math.log(point.value) for point in points[key]] for name, key in names.items()}
    confidence = 1 - _ALPHA / max(1, len(logs))
    changed = await find_changes(logs, since, confidence=confidence) if logs else {}
    return Trends(
        matrix=runs[-1].matrix,
        machine_class=runs[-1].machine_class,
        runs=len(runs),
        reference=reference,
        pinned=bool(pinned),
        trends=tuple(
            judge_trend(
                key[0],
                points[key],
                since[name],
                changed[name].changes,
                changed[name].slope,
                baseline=key[1],
            )
            for name, key in names.items()
        ),
        notes=tuple(_say_notes(past, pinned=bool(pinned))),
    )


def _say_notes(past: Past, *, pinned: bool) -> Iterator[str]:
    if not pinned:
        yield "no run is pinned, so the first is the reference; `harness history --pin RUN` names a release"
    if past.others:
        noun = "run" if past.others == 1 else "runs"
        yield f"left out, for on other classes of machine: {past.others} {noun}"
    if not past.timed:
        yield "no run measured latency with a noise floor"
