"""Latency over time out of the history: what each session measured, once."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """One scenario in one cell of one run; ``baseline`` says that the cell is the baseline of its matrix."""

    run: str
    created: str
    commit: str
    cell: str
    baseline: bool
    scenario: str
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
    seen: set[tuple[str, str, str]] = set()
    found = []
    for run, created, commit, cell, baseline, scenario, session, p50, ratio, noise in rows:
        key = (session, cell, scenario)
        if (session and key in seen) or not all(map(math.isfinite, (p50, ratio, noise))):
            continue
        seen.add(key)
        found.append(Timed(run, created, commit, cell, bool(baseline), scenario, p50, ratio, noise))
    return found
