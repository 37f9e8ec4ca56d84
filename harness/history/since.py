"""The last run before a run: the newest sweep of the same matrix on a machine of the same class."""

from __future__ import annotations

import sqlite3

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
    """The last of them, as it was recorded; None where there is none."""
    before = list_before(connection, run)
    return read_snapshot(connection, before[0].run) if before else None
