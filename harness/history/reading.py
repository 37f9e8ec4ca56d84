"""Runs out of the history: their list, one as a whole, the one that is meant by a part of its id."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from harness.errors import UsageError
from harness.gate_records import QuantityDecision
from harness.history.database import HistoryError
from harness.history_records import CaseMeasure, CellMeasures, LatencyMeasure, PastRun, Snapshot

_RUN = "id, kind, matrix, created, commit_id, machine_class, verdict, sentence, subset, cells, red_cells, red"


def list_runs(connection: sqlite3.Connection, matrix: str | None = None) -> list[PastRun]:
    """The runs, or those of one matrix, the newest first.

    Raises:
        HistoryError: what is recorded of one is not what a harness records.
    """
    found = connection.execute(
        f"SELECT {_RUN}, id IN (SELECT run FROM pin) FROM run"  # noqa: S608 - names from above, no input
        " WHERE ?1 IS NULL OR matrix = ?1 ORDER BY created DESC, id DESC",
        (matrix,),
    )
    runs = []
    for row in found:
        with _understanding(str(row[0])):
            runs.append(_past_run(row))
    return runs


@contextlib.contextmanager
def _understanding(run: str) -> Iterator[None]:
    """What a sound file may hold nevertheless: a word of another harness, a byte that fell over."""
    try:
        yield
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HistoryError(
            f"what the history has of run {run} cannot be understood ({error}); put the file aside, and take "
            "in with `harness history --import` the runs that still lie in their folders"
        ) from error


def _past_run(row: tuple[object, ...]) -> PastRun:
    names = ("run", "kind", "matrix", "created", "commit", "machine_class", "verdict", "sentence")
    *texts, subset, cells, red_cells, red, pinned = row
    values = dict(zip(names, texts, strict=True))
    rest = {
        "subset": bool(subset),
        "cells": cells,
        "red_cells": red_cells,
        "red": json.loads(str(red)),
        "pinned": bool(pinned),
    }
    return msgspec.convert(values | rest, PastRun)


def match_run(connection: sqlite3.Connection, wanted: str) -> str | None:
    """The id of the run that is called so, or whose id alone begins so; None where there is none.

    Raises:
        UsageError: several begin so.
    """
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    found = connection.execute(
        "SELECT id FROM run WHERE id = ?1 OR id LIKE ?2 ESCAPE '\\' ORDER BY created DESC, id DESC",
        (wanted, f"{escaped}%"),
    )
    runs = [str(run) for (run,) in found]
    if wanted in runs:
        return wanted
    if len(runs) > 1:
        raise UsageError(f"{wanted!r} may be {', '.join(runs[:5])}; write more of the one that is meant")
    return runs[0] if runs else None


def read_snapshot(connection: sqlite3.Connection, run: str) -> Snapshot:
    """A run as it was recorded.

    Raises:
        UsageError: it is not there.
        HistoryError: what is recorded of it is not what a harness records.
    """
    with _understanding(run):
        return _read_snapshot(connection, run)


def _read_snapshot(connection: sqlite3.Connection, run: str) -> Snapshot:
    connection.row_factory = sqlite3.Row
    try:
        row = connection.execute("SELECT * FROM run WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise UsageError(f"{run}: no such run in the history; `harness history` lists them")
        return msgspec.convert(
            {
                **{name: row[name] for name in ("kind", "matrix", "title", "created", "verdict", "sentence")},
                "run": row["id"],
                "commit": row["commit_id"],
                "machine": json.loads(row["machine"]),
                "subset": bool(row["subset"]),
                "cells": tuple(_read_cells(connection, row["number"])),
                "latency": tuple(_read_latency(connection, row["number"])),
                "quantities": tuple(_read_quantities(connection, row["number"])),
            },
            Snapshot,
        )
    finally:
        connection.row_factory = None


def _read_cells(connection: sqlite3.Connection, run: int) -> list[CellMeasures]:
    versions = _read_pairs(connection, run, "version", "versions", "version")
    facts = _read_pairs(connection, run, "fact", "facts", "value")
    cases = _read_cases(connection, run)
    return [
        CellMeasures(
            id=row["id"],
            axes=json.loads(row["axes"]),
            python=row["python"],
            status=row["status"],
            red=bool(row["red"]),
            baseline=bool(row["baseline"]),
            lock=row["lock"],
            key=row["key"],
            measured_by=row["measured_by"],
            peak_rss=row["peak_rss"],
            versions=versions[row["versions"]],
            facts=facts[row["facts"]],
            cases=tuple(cases[row["cases"]]),
        )
        for row in connection.execute("SELECT * FROM cell WHERE run = ? ORDER BY place", (run,))
    ]


def _read_pairs(
    connection: sqlite3.Connection, run: int, table: str, column: str, value: str
) -> dict[int, dict[str, str]]:
    """Name -> value of each part of this kind that a run has."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    rows = connection.execute(
        f"SELECT part, name, {value} FROM {table}"  # noqa: S608 - names of tables and columns, no input
        f" WHERE part IN (SELECT {column} FROM cell WHERE run = ?) ORDER BY part, name",
        (run,),
    )
    for part, name, text in rows:
        found[part][name] = text
    return found


def _read_cases(connection: sqlite3.Connection, run: int) -> dict[int, list[CaseMeasure]]:
    found: dict[int, list[CaseMeasure]] = defaultdict(list)
    rows = connection.execute(
        "SELECT part, name.text, outcome, value, allowed, unit, bound, words FROM outcome"
        " JOIN name ON name.number = outcome.name"
        " WHERE part IN (SELECT cases FROM cell WHERE run = ?) ORDER BY part, place",
        (run,),
    )
    for part, case, outcome, value, allowed, unit, bound, words in rows:
        found[part].append(
            CaseMeasure(
                id=case, outcome=outcome, value=value, allowed=allowed, unit=unit, bound=bound, words=words
            )
        )
    return found


def _read_latency(connection: sqlite3.Connection, run: int) -> list[LatencyMeasure]:
    rows = connection.execute(
        "SELECT cell, name.text AS scenario, session, p50, ratio, low, high, floor, noise, rounds, iterations"
        " FROM latency JOIN name ON name.number = latency.scenario WHERE run = ? ORDER BY place",
        (run,),
    )
    return [LatencyMeasure(**dict(row)) for row in rows]


def _read_quantities(connection: sqlite3.Connection, run: int) -> list[QuantityDecision]:
    rows = connection.execute("SELECT decision FROM quantity WHERE run = ? ORDER BY place", (run,))
    return [msgspec.json.decode(row["decision"], type=QuantityDecision) for row in rows]
