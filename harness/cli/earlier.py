"""What earlier runs say: the history beside the commands, trends, and the page of a new run."""

from __future__ import annotations

import math
import os
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.rendering import render_run
from harness.cli.screen import fit
from harness.errors import MachineError, UsageError
from harness.judge.compare import compare
from harness.judge.snapshot import summarize_snapshot, take_snapshot
from harness.judge.trends import NEWEST, Key, Move, collect_points, find_move, judge_trend, place_of
from harness.matrix.read import describe_sweep
from harness.reading import exists, input_fault
from harness.records import Earlier, PastRun, Run, Snapshot, TrendPoint, Trends
from harness.report.escape import disarm_commands
from harness.runs.database import Say, read_history
from harness.runs.find import Runs
from harness.runs.reading import Timed, count_rebased, find_last, list_before, list_runs, read_series
from harness.runs.recording import History, record_folder
from harness.sweep.stages import Render

if TYPE_CHECKING:
    from harness.judge.changes import Changes


# From the history to trends: what each session measured, change points, then judged.

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
        notes=tuple(_describe_notes(past, pinned=bool(pinned))),
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


def _describe_notes(past: Past, *, pinned: bool) -> Iterator[str]:
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


def recall(run: Run, history: History, say: Say) -> Earlier:
    """What the runs before this one tell; itself it is not in the history yet, or is rendered again.

    What gets in the way costs the page a section, not the run its page: it is said.
    """
    if history.keep == 0:
        return Earlier()
    own = take_snapshot(run.plan, run.results, run.judgement)
    try:
        with read_history(history.path, say) as connection:
            last = find_last(connection, own)
            past = read_until(connection, own)
    except (UsageError, MachineError) as error:
        say(f"the page tells nothing of earlier runs: {error}")
        return Earlier()
    since = compare(last, own) if last is not None else None
    return Earlier(since=since, trends=_judge(past, say))


def _judge(past: Past | None, say: Say) -> Trends | None:
    try:
        return judge_past(past) if past is not None else None
    except MachineError as error:
        say(f"the page tells nothing of trends: {error}")
        return None


# The history beside the commands: where it is, what a finished run leaves there, what its page is told.

FILE_VARIABLE = "HARNESS_HISTORY"
"""Where the history lies, instead of beside the runs."""

MAX_RUNS = 999_999_999
"""Runs that a history may keep: what SQLite counts with."""

KEEP_VARIABLE = "HARNESS_KEEP_RUNS"
"""How many runs of each matrix and kind it keeps; 0: nothing is recorded."""


def say(text: str) -> None:
    """Tell a person beside the output, which may be read by a program."""
    click.echo(fit(disarm_commands(f"note: {text}"), sys.stderr), err=True)


def remember(folder: Path, reports: Path) -> None:
    """Take a finished run, of a sweep or a gate, into the history; what gets in the way is a note."""
    try:
        history = open_history_of(reports)
    except UsageError as error:
        say(f"this run is not in the history: {error}")
        return
    record_folder(folder, history, say)


def render_in(reports: Path) -> Render:
    """How a run in these reports is rendered: its page says what changed since the runs before it."""

    def render(run: Run, folder: Path) -> Earlier:
        try:
            earlier = recall(run, open_history_of(reports), say)
        except UsageError as error:
            say(f"the page has nothing on earlier runs: {error}")
            earlier = Earlier()
        render_run(run, folder, earlier)
        return earlier

    return render


def open_runs(reports: Path, history: History | None = None) -> Runs:
    """Where a command finds the runs that a person names."""
    return Runs(reports, history, say, describe_sweep())


def open_history_of(reports: Path) -> History:
    """The history of these reports, as the environment variables have it.

    Raises:
        UsageError: ``HARNESS_KEEP_RUNS`` is no number, or the history is no file.
    """
    named, keep = os.environ.get(FILE_VARIABLE), os.environ.get(KEEP_VARIABLE)
    history = History.beside(reports)
    if named:
        if not named.strip():
            raise UsageError(f"{FILE_VARIABLE} is blank; name a file, or unset it")
        history = History(Path(named), history.keep)
    if exists(history.path) and (fault := input_fault(history.path, "file")):
        raise UsageError(f"the history {fault}; name another file with {FILE_VARIABLE}")
    if not keep:
        return history
    if not re.fullmatch(r"[0-9]{1,9}", keep):
        raise UsageError(
            f"{KEEP_VARIABLE}={keep[:40]!r}: expected a number of runs such as 200, at most {MAX_RUNS}, "
            "or 0 for none"
        )
    return History(history.path, int(keep))
