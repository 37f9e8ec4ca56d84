"""The last run before a run: the newest sweep of the same matrix and machine class that has its cells."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from harness.history.reading import list_runs, read_snapshot
from harness.history_records import PastRun, Snapshot


def list_before(connection: sqlite3.Connection, run: Snapshot) -> list[PastRun]:
    """The sweeps of its matrix on machines of its class that began before it, the newest first."""
    alike = ("sweep", run.machine_class)
    return [
        past
        for past in list_runs(connection, run.matrix)
        if (past.kind, past.machine_class) == alike and past.created <= run.created and past.run != run.run
    ]


def find_last(connection: sqlite3.Connection, run: Snapshot) -> Snapshot | None:
    """The last of them that has all of its cells, as it was recorded; else the one that has most of them.

    Not simply the last: after a run of one cell, that would hide what became of all others. Nor, for a whole
    run, one of some checks, which hides what became of the rest, unless no whole one has any of the cells.
    None where no run has any of them: there is nothing to compare.
    """
    past = list_before(connection, run)
    found = None if run.subset else _find_most(connection, run, [each for each in past if not each.subset])
    found = found or _find_most(connection, run, past)
    return read_snapshot(connection, found.run) if found else None


def _find_most(connection: sqlite3.Connection, run: Snapshot, past: Sequence[PastRun]) -> PastRun | None:
    """The first that has all cells, else the first that has most, else None."""
    own = {cell.id for cell in run.cells}
    best, most = None, 0
    for each in past:
        common = len(own & _read_cells(connection, each.run))
        if common > most:
            best, most = each, common
        if common == len(own):
            break
    return best


def _read_cells(connection: sqlite3.Connection, run: str) -> set[str]:
    cells = connection.execute(
        "SELECT cell.id FROM run JOIN cell ON cell.run = run.number WHERE run.id = ?", (run,)
    )
    return {cell for (cell,) in cells}
