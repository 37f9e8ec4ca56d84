"""The history as the commands use it: trends, the comparison with the last run, recording of new runs."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.cli.rendering import render_run
from harness.cli.screen import print_aside
from harness.cli.waiting import find_waiting
from harness.errors import MachineError, UsageError
from harness.input_files import exists, input_fault
from harness.judge.compare import compare
from harness.judge.snapshot import summarize_snapshot, take_snapshot
from harness.judge.trend_verdict import (
    LEVEL_RUNS,
    find_reference,
    judge_trend,
    list_points,
    measure_level_change,
)
from harness.matrix.read import describe_sweep
from harness.records import Earlier, PastRun, Run, RunLatency, Snapshot, Trend, Trends
from harness.runs.database import Say, read_history
from harness.runs.find import Runs
from harness.runs.past_runs import count_rebased, find_last, list_before, list_runs, read_latencies
from harness.runs.recording import History, record_folder
from harness.sweep.run_sweep import Render

if TYPE_CHECKING:
    from harness.judge.latency_series import Timings
    from harness.judge.trend_verdict import LatencySeries


# Trends

_ALPHA = 0.01
"""Probability of a false drift in any of all series."""

_FEWEST = LEVEL_RUNS + 1
"""Sessions that the page needs before it shows trends: a reference and the newest after it."""


@dataclass(frozen=True)
class Past:
    """The runs of a matrix on one class of machine, oldest first, and their timings.

    ``others`` counts its sweeps on other classes of machine, ``rebased`` those on this class of machine
    that have another baseline.
    """

    runs: tuple[PastRun, ...]
    timings: Timings
    others: int
    rebased: int


def make_trends(path: Path, matrix: str | None, notify: Say, *, everything: bool = False) -> Trends:
    """Compute the trends of a matrix (default: the one swept last) on the machine class of its newest run.

    Only series that changed have points, unless ``everything`` is asked for.

    Raises:
        UsageError: the history has no sweep of the matrix.
        MachineError: the history cannot be read, or one of its values is not finite.
    """
    with read_history(path, notify) as connection:
        past = _read_newest(connection, matrix)
    if past is None:
        of = f" of {matrix}" if matrix else ""
        raise UsageError(f"{path}: no sweep{of} in the history; `harness history` lists its runs")
    return judge_past(past, everything=everything)


def _read_newest(connection: sqlite3.Connection, matrix: str | None) -> Past | None:
    runs = [run for run in list_runs(connection, matrix) if run.kind == "sweep"]
    if not runs:
        return None
    newest = runs[0]
    same = [run for run in runs if run.matrix == newest.matrix]
    mine = [run for run in same if run.machine_class == newest.machine_class]
    timed = read_latencies(connection, newest.matrix, newest.machine_class)
    return _join(connection, tuple(reversed(mine)), timed, len(same) - len(mine))


def read_until(connection: sqlite3.Connection, own: Snapshot) -> Past | None:
    """Read the past of a sweep up to and including itself; None with too few sessions for trends.

    The sweep may be missing from the history. A sweep without latency has no trends.
    """
    if own.kind != "sweep" or not own.latency:
        return None
    recorded = [run for run in list_runs(connection, own.matrix) if run.kind == "sweep"]
    timed = read_latencies(connection, own.matrix, own.machine_class, own)
    if len(timed) < _FEWEST:
        return None
    pinned = any(run.pinned for run in recorded if run.run == own.run)
    runs = (*reversed(list_before(connection, own)), summarize_snapshot(own, pinned=pinned))
    others = sum(run.machine_class != own.machine_class for run in recorded)
    past = _join(connection, runs, timed, others)
    return past if len(past.timings.runs) >= _FEWEST else None


def _join(
    connection: sqlite3.Connection, runs: tuple[PastRun, ...], timed: Sequence[RunLatency], others: int
) -> Past:
    """Join the timings, and count the runs that were left out because of another baseline."""
    from harness.judge.latency_series import join_timings  # noqa: PLC0415 - imports NumPy

    newest, timings = runs[-1], join_timings(timed)
    created = timings.runs[-1].created if timings.runs else ""
    rebased = count_rebased(connection, newest.matrix, newest.machine_class, timings.find_baseline(), created)
    return Past(runs, timings, others, rebased)


def judge_past(past: Past, *, everything: bool = False) -> Trends:
    """Judge every series; those that did not change have points only if ``everything`` is asked for.

    Raises:
        MachineError: a value of the history is not finite.
    """
    from harness.judge.latency_series import list_levels, list_series  # noqa: PLC0415 - imports NumPy

    runs, timed = past.runs, past.timings.runs
    pinned = [run.run for run in runs if run.pinned]
    reference = pinned[-1] if pinned else (timed[0].run if timed else runs[0].run)
    series = list_series(past.timings)
    trends = _judge_series(series, timed, _count_until(reference, past) - 1)
    return Trends(
        matrix=runs[-1].matrix,
        machine_class=runs[-1].machine_class,
        runs=len(runs),
        reference=reference,
        pinned=bool(pinned),
        trends=tuple(
            msgspec.structs.replace(trend, points=list_points(each, timed))
            if everything or trend.is_shown
            else trend
            for each, trend in zip(series, trends, strict=True)
        ),
        timed=tuple(timed[place].run for place in sorted(set().union(*(each.runs for each in series)))),
        levels=list_levels(past.timings),
        notes=tuple(_describe_notes(past, pinned=bool(pinned))),
    )


def _count_until(reference: str, past: Past) -> int:
    """The number of timed runs up to the reference, which may not be timed itself."""
    order = {run.run: place for place, run in enumerate(past.runs)}
    return sum(order[run.run] <= order[reference] for run in past.timings.runs)


def _judge_series(series: Sequence[LatencySeries], runs: Sequence[RunLatency], reference: int) -> list[Trend]:
    """Judge every series: change points where a step is possible, and slopes where it left the noise."""
    from harness.judge.changes import Changes, find_changes  # noqa: PLC0415 - imports NumPy

    places = [find_reference(each, reference) for each in series]
    moves = [measure_level_change(each, place) for each, place in zip(series, places, strict=True)]
    since = {number: places[number] for number, move in enumerate(moves) if move and not move.is_noise}
    asked = {number: each.logs for number, each in enumerate(series) if each.may_step or number in since}
    found = find_changes(asked, since, confidence=1 - _ALPHA / max(1, len(series)))
    return [
        judge_trend(each, runs, place, move, found.get(number, Changes((), None)))
        for number, (each, place, move) in enumerate(zip(series, places, moves, strict=True))
    ]


def _describe_notes(past: Past, *, pinned: bool) -> Iterator[str]:
    if not pinned:
        yield (
            "no run on this class of machine is pinned, so the first is the reference; "
            "`harness history --pin RUN` chooses another"
        )
    if past.others:
        noun = "run" if past.others == 1 else "runs"
        yield f"excluded, on other classes of machine: {past.others} {noun}"
    if past.rebased:
        noun = "run" if past.rebased == 1 else "runs"
        yield f"excluded, with another baseline: {past.rebased} {noun}"
    if not past.timings.runs:
        yield "no run measured latency with a noise floor"


def find_earlier(run: Run, history: History, notify: Say) -> Earlier:
    """Compare a run with the runs before it; an unreadable history costs a section of the page and a note."""
    if history.keep == 0:
        return Earlier()
    own = take_snapshot(run.plan, run.results, run.judgement)
    try:
        with read_history(history.path, notify) as connection:
            last = find_last(connection, own)
            past = read_until(connection, own)
    except (UsageError, MachineError) as error:
        notify(f"the page has no section on earlier runs: {error}")
        return Earlier()
    since = compare(last, own) if last is not None else None
    return Earlier(since=since, trends=_judge(past, notify))


def _judge(past: Past | None, notify: Say) -> Trends | None:
    try:
        return judge_past(past) if past is not None else None
    except MachineError as error:
        notify(f"the page has no section on trends: {error}")
        return None


# Location and recording

FILE_VARIABLE = "HARNESS_HISTORY"
"""Environment variable: the file of the history, by default next to the runs."""

MAX_RUNS = 999_999_999
"""Largest number of runs that a history may keep."""

KEEP_VARIABLE = "HARNESS_KEEP_RUNS"
"""Environment variable: how many runs of each matrix and kind are kept; 0 records nothing."""


def show_note(text: str) -> None:
    """Print a note on standard error; standard output may be read by a program."""
    print_aside(f"note: {text}")


def record_finished(folder: Path, reports: Path) -> None:
    """Record a finished sweep or gate in the history; a failure to do so is a note."""
    try:
        history = open_history_of(reports)
    except UsageError as error:
        show_note(f"this run was not recorded in the history: {error}")
        return
    record_folder(folder, history, show_note)


def make_renderer(reports: Path) -> Render:
    """Make the renderer of runs in these reports; a page shows what changed since earlier runs."""

    def render(run: Run, folder: Path) -> Earlier:
        try:
            earlier = find_earlier(run, open_history_of(reports), show_note)
        except UsageError as error:
            show_note(f"the page has no section on earlier runs: {error}")
            earlier = Earlier()
        render_run(run, folder, earlier)
        return earlier

    return render


def open_runs(reports: Path, history: History | None = None) -> Runs:
    """Where a command finds the runs that a person names."""
    return Runs(reports, history, show_note, describe_sweep())


def open_history_of(reports: Path) -> History:
    """Open the history of these reports, or the one that environment variables name.

    Raises:
        UsageError: ``HARNESS_KEEP_RUNS`` is not a number, or the history is not a file.
    """
    find_waiting().begin("the history of runs")
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
