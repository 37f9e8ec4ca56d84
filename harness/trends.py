"""From the history to trends: what each session measured, change points from the statistics, then judged."""

from __future__ import annotations

import math
from pathlib import Path

from harness.errors import UsageError
from harness.history.database import Say, read_history
from harness.history.reading import list_runs
from harness.history.series import Timed, read_series
from harness.history_records import PastRun, Trends
from harness.judge.trends import collect_points, judge_trend, place_of
from harness.run.changes import find_changes

_ALPHA = 0.01
"""That any of all series is said to creep without doing so."""


async def make_trends(path: Path, matrix: str | None, say: Say) -> Trends:
    """The trends of a matrix (the one swept last, if none is named) on the machine class of its newest run.

    Raises:
        UsageError: no sweep of it is in the history.
        MachineError: the history cannot be read, or the statistics could not be had.
    """
    with read_history(path, say) as connection:
        runs = [run for run in list_runs(connection, matrix) if run.kind == "sweep"]
        if not runs:
            of = f" of {matrix}" if matrix else ""
            raise UsageError(f"{path}: no sweep{of} in the history; `harness history` lists what there is")
        newest = runs[0]
        mine = [
            run for run in runs if (run.matrix, run.machine_class) == (newest.matrix, newest.machine_class)
        ]
        timed = read_series(connection, newest.matrix, newest.machine_class)
    mine.reverse()
    others = sum(run.matrix == newest.matrix for run in runs) - len(mine)
    return await _judge(mine, timed, others)


async def _judge(runs: list[PastRun], timed: list[Timed], others: int) -> Trends:
    pinned = [run.run for run in runs if run.pinned]
    reference = pinned[-1] if pinned else runs[0].run
    order = {run.run: place for place, run in enumerate(runs)}
    points = collect_points(timed)
    names = {str(place): key for place, key in enumerate(points)}
    since = {name: place_of(reference, points[key], order) for name, key in names.items()}
    logs = {name: [math.log(point.value) for point in points[key]] for name, key in names.items()}
    confidence = 1 - _ALPHA / max(1, len(logs))
    changed = await find_changes(logs, since, confidence=confidence) if logs else {}
    notes = []
    if not pinned:
        notes.append(
            "no run is pinned, so the first is the reference; `harness history --pin RUN` names a release"
        )
    if others:
        notes.append(f"{others} runs on other classes of machine are left out")
    if not timed:
        notes.append("no run measured latency with a noise floor")
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
        notes=tuple(notes),
    )
