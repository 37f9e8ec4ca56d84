"""Record finished runs in the history, and remove old runs by retention; a failure never fails the run."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.judge.snapshot import count_red
from harness.records import CaseMeasure, CellMeasures, Snapshot
from harness.runs.database import FILE, HistoryError, Say, open_history, transaction
from harness.runs.folder import read_folder
from harness.runs.latency_columns import insert_latency

# Statements; the callers below put them into transactions.

Row = tuple[object, ...]


def put_run(connection: sqlite3.Connection, snapshot: Snapshot) -> None:
    """Write a run, replacing an earlier record with its id."""
    before = connection.execute("DELETE FROM run WHERE id = ?", (snapshot.run,)).rowcount
    number = _insert_run(connection, snapshot)
    names = _number_names(connection, snapshot)
    _insert_cells(connection, number, snapshot, names)
    insert_latency(connection, number, snapshot.latency)
    _insert_quantities(connection, number, snapshot)
    if before:
        _remove_orphans(connection)


def remove_runs(connection: sqlite3.Connection, runs: Iterable[str]) -> None:
    """Remove runs from the history, with everything that no other run shares."""
    connection.executemany("DELETE FROM run WHERE id = ?", [(run,) for run in runs])
    _remove_orphans(connection)


def give_back_space(connection: sqlite3.Connection) -> None:
    """Shrink the file after removing runs; call it outside of a transaction."""
    connection.executescript("PRAGMA incremental_vacuum")  # ``execute`` ends after its first page


def old_runs(connection: sqlite3.Connection, keep: int) -> list[str]:
    """The ids of all but the newest ``keep`` runs of each matrix and kind; pinned runs do not count.

    Runs of a subset are a kind of their own, so that they do not displace complete sweeps.
    """
    found = connection.execute(
        "SELECT id FROM (SELECT id, created, row_number() OVER (PARTITION BY matrix, kind, subset"
        " ORDER BY created DESC, id DESC) AS place FROM run WHERE id NOT IN (SELECT run FROM pin))"
        " WHERE place > ? ORDER BY created, id",
        (keep,),
    )
    return [run for (run,) in found]


def _insert_run(connection: sqlite3.Connection, snapshot: Snapshot) -> int:
    columns: dict[str, object] = {
        "id": snapshot.run,
        "kind": snapshot.kind,
        "matrix": snapshot.matrix,
        "title": snapshot.title,
        "created": snapshot.created,
        "commit_id": snapshot.commit,
        "machine_class": snapshot.machine_class,
        "machine": json.dumps(snapshot.machine, sort_keys=True),
        "verdict": snapshot.verdict,
        "sentence": snapshot.sentence,
        "subset": snapshot.subset,
        "cells": len(snapshot.cells),
        "red_cells": sum(cell.red for cell in snapshot.cells),
        "red": json.dumps(count_red(snapshot)),
    }
    marks = ", ".join("?" * len(columns))
    written = connection.execute(
        f"INSERT INTO run ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608 - names from above, no input
        tuple(columns.values()),
    )
    return int(written.lastrowid or 0)


def _number_names(connection: sqlite3.Connection, snapshot: Snapshot) -> dict[str, int]:
    wanted = {case.id for cell in snapshot.cells for case in cell.cases}
    connection.executemany("INSERT OR IGNORE INTO name (text) VALUES (?)", [(text,) for text in wanted])
    return {text: number for number, text in connection.execute("SELECT number, text FROM name")}


def _insert_cells(
    connection: sqlite3.Connection, run: int, snapshot: Snapshot, names: dict[str, int]
) -> None:
    for place, cell in enumerate(snapshot.cells):
        versions = _put_part(connection, "version", sorted(cell.versions.items()))
        facts = _put_part(connection, "fact", sorted(cell.facts.items()))
        cases = _put_part(connection, "outcome", [_case(each, names) for each in cell.cases])
        row = (run, place, *_cell(cell), versions, facts, cases)
        _insert(connection, "cell", [row])


def _cell(cell: CellMeasures) -> Row:
    return (
        cell.id,
        json.dumps(cell.axes),
        cell.python,
        cell.status,
        cell.red,
        cell.baseline,
        cell.lock,
        cell.key,
        cell.measured_by,
        cell.peak_rss,
    )


def _case(case: CaseMeasure, names: dict[str, int]) -> Row:
    return (names[case.id], case.outcome, case.value, case.allowed, case.unit, case.bound, case.words)


def _put_part(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> int:
    """The number of a part with these rows; equal rows of other cells and runs are shared."""
    digest = hashlib.sha256(json.dumps([table, rows]).encode()).hexdigest()
    known = connection.execute("SELECT number FROM part WHERE digest = ?", (digest,)).fetchone()
    if known:
        return int(known[0])
    number = int(connection.execute("INSERT INTO part (digest) VALUES (?)", (digest,)).lastrowid or 0)
    placed = enumerate(rows) if table == "outcome" else ((None, row) for row in rows)
    _insert(
        connection,
        table,
        [(number, *row) if place is None else (number, place, *row) for place, row in placed],
    )
    return number


def _insert_quantities(connection: sqlite3.Connection, run: int, snapshot: Snapshot) -> None:
    rows = [
        (
            run,
            place,
            each.quantity.id,
            each.outcome,
            each.baseline,
            each.candidate,
            each.change.ratio if each.change else None,
            msgspec.json.encode(each).decode(),
        )
        for place, each in enumerate(snapshot.quantities)
    ]
    _insert(connection, "quantity", rows)


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names of tables


def _remove_orphans(connection: sqlite3.Connection) -> None:
    connection.execute(
        "DELETE FROM part WHERE number NOT IN"
        " (SELECT versions FROM cell UNION SELECT facts FROM cell UNION SELECT cases FROM cell)"
    )
    connection.execute("DELETE FROM name WHERE number NOT IN (SELECT name FROM outcome)")


KEEP_RUNS = 200
"""Default number of runs per matrix and kind; data shared by cells is stored once."""


@dataclass(frozen=True)
class History:
    """The path of the history, and the number of runs per matrix and kind that it keeps; 0 disables it.

    It lies in the folder of the runs, not in the store: the store is a cache, and history cannot be
    recreated. A CI passes this one file from job to job; all matrices of a project share it.
    """

    path: Path
    keep: int = KEEP_RUNS

    @classmethod
    def beside(cls, reports: Path) -> History:
        """The history of the runs in ``<reports>/runs``."""
        return cls(reports / "runs" / FILE)


def record_folder(folder: Path, history: History, say: Say) -> None:
    """Record the finished run in a folder; failures are reported through ``say``, never raised."""
    if history.keep == 0:
        return
    try:
        record_runs([read_folder(folder)], history, say)
    except (UsageError, HistoryError) as error:
        say(f"this run is not in the history: {error}")


def record_runs(snapshots: Iterable[Snapshot], history: History, say: Say) -> None:
    """Write runs, each in its own transaction, then apply retention and report removed runs.

    Raises:
        HistoryError: the history cannot be written; runs before the failure are recorded.
    """
    with open_history(history.path, say) as connection:
        for snapshot in snapshots:
            with transaction(connection):
                put_run(connection, snapshot)
        _remove_old(connection, history, say)


def keep_newest(history: History, say: Say) -> None:
    """Apply retention now.

    Raises:
        HistoryError: the history cannot be written.
    """
    with open_history(history.path, say) as connection:
        _remove_old(connection, history, say)


def _remove_old(connection: sqlite3.Connection, history: History, say: Say) -> None:
    with transaction(connection):
        old = old_runs(connection, history.keep)
        remove_runs(connection, old)
    if not old:
        return
    give_back_space(connection)
    noun = "1 old run" if len(old) == 1 else f"{len(old)} old runs"
    kept = f"it keeps {history.keep} of each matrix and kind"
    say(f"removed {noun} from the history, {old[0]} the oldest: {kept}")


def pin_run(run: str, history: History, say: Say, *, pinned: bool) -> None:
    """Pin or unpin a run; retention never removes a pinned run, and trends are measured against it.

    Raises:
        HistoryError: the history cannot be written.
    """
    statement = "INSERT OR IGNORE INTO pin VALUES (?)" if pinned else "DELETE FROM pin WHERE run = ?"
    with open_history(history.path, say) as connection, transaction(connection):
        connection.execute(statement, (run,))
