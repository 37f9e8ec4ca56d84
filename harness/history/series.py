"""Latency over time out of the history: what each session measured, once."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.history_records import Snapshot


@dataclass(frozen=True)
class Timed:
    """One scenario in one cell of one run; ``baseline`` says that the cell is the baseline of its matrix.

    ``session`` is as in ``harness.history_records.LatencyMeasure``.
    """

    run: str
    created: str
    commit: str
    cell: str
    baseline: bool
    scenario: str
    session: str
    p50: float
    ratio: float
    noise: float


def read_series(connection: sqlite3.Connection, matrix: str, machine_class: str) -> list[Timed]:
    """Every timing of a matrix on one class of machine, the oldest first; one question, whatever there is.

    What a run took over from an earlier session is not there twice; without ratio or noise floor it is not
    there at all, for nothing could be said of it.
    """
    rows = connection.execute(
        "SELECT run.id, created, commit_id, cell.id, baseline, name.text, session, p50, ratio, noise"
        " FROM run JOIN latency ON latency.run = run.number"
        " JOIN cell ON cell.run = run.number AND cell.id = latency.cell"
        " JOIN name ON name.number = latency.scenario"
        " WHERE run.kind = 'sweep' AND matrix = ? AND machine_class = ?"
        " AND ratio > 0 AND noise >= 1 AND p50 > 0"
        " ORDER BY created, run.id, cell.place, latency.place",
        (matrix, machine_class),
    )
    return _first_of_each_session(
        Timed(run, created, commit, cell, bool(baseline), scenario, session, p50, ratio, noise)
        for run, created, commit, cell, baseline, scenario, session, p50, ratio, noise in rows
    )


def time_last(timed: Sequence[Timed], own: Snapshot) -> list[Timed]:
    """The timings before a run, then its own, whether it is recorded or not."""
    before = [each for each in timed if each.created <= own.created and each.run != own.run]
    baselines = {cell.id for cell in own.cells if cell.baseline}
    mine = (
        Timed(
            own.run, own.created, own.commit, each.cell, each.cell in baselines, each.scenario, each.session,
            each.p50, each.ratio, each.noise,
        )
        for each in own.latency
        if each.ratio and each.noise and each.ratio > 0 and each.noise >= 1 and each.p50 > 0
    )  # fmt: skip
    return _first_of_each_session([*before, *mine])


def _first_of_each_session(timed: Iterable[Timed]) -> list[Timed]:
    seen: set[tuple[str, str, str]] = set()
    found = []
    for each in timed:
        key = (each.session, each.cell, each.scenario)
        if (each.session and key in seen) or not all(map(math.isfinite, (each.p50, each.ratio, each.noise))):
            continue
        seen.add(key)
        found.append(each)
    return found
