"""Histories of earlier versions, as the harness of their time wrote them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
from support.histories import record

from harness.records import Snapshot
from harness.runs import database
from harness.runs.tables import STEPS

SHARED = ("run", "name", "part", "version", "fact", "outcome", "cell", "quantity")
"""The tables of the first version that are still there."""


def write_earlier(path: Path, version: int, *snapshots: Snapshot) -> None:
    """Write the snapshots as a history of an earlier version, in which each timing was a row."""
    present = path.with_suffix(".present")
    record(present, *snapshots)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for step in STEPS[:version]:
        step(connection)
    connection.execute(f"PRAGMA application_id = {database._APPLICATION}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("ATTACH ? AS present", (str(present),))
    for table in SHARED:
        columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
        connection.execute(f"INSERT INTO main.{table} SELECT {columns} FROM present.{table}")  # noqa: S608 - names
    for snapshot in snapshots:
        _insert_rows(connection, snapshot)
    connection.commit()
    connection.close()
    for left in (present, present.with_name(f"{present.name}.lock")):
        left.unlink()


def _insert_rows(connection: sqlite3.Connection, snapshot: Snapshot) -> None:
    (run,) = connection.execute("SELECT number FROM main.run WHERE id = ?", (snapshot.run,)).fetchone()
    for place, each in enumerate(snapshot.latency):
        connection.execute("INSERT OR IGNORE INTO main.name (text) VALUES (?)", (each.scenario,))
        values = {**msgspec.structs.asdict(each), "run": run, "place": place}
        connection.execute(
            "INSERT INTO latency VALUES (:run, :place, :cell, (SELECT number FROM main.name"
            " WHERE text = :scenario), :session, :p50, :ratio, :low, :high, :floor, :noise, :rounds,"
            " :iterations)",
            values,
        )
