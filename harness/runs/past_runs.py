"""Read runs from the history: the list, one complete run, and latency over time."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from harness.errors import UsageError
from harness.records import (
    CaseMeasure,
    CellMeasures,
    PastRun,
    QuantityDecision,
    RunLatency,
    Snapshot,
)
from harness.runs.latency_columns import pack_latency, read_latency, read_times

_RUN = "id, kind, matrix, created, commit_id, machine_class, verdict, sentence, subset, cells, red_cells, red"


def list_runs(connection: sqlite3.Connection, matrix: str | None = None) -> list[PastRun]:
    """The runs, or those of one matrix, the newest first.

    Raises:
        sqlite3.DataError: the record of a run is invalid.
    """
    found = connection.execute(
        f"SELECT {_RUN}, id IN (SELECT run FROM pin) FROM run"  # noqa: S608 - names from above, no input
        " WHERE ?1 IS NULL OR matrix = ?1 ORDER BY created DESC, id DESC",
        (matrix,),
    )
    runs = []
    for row in found:
        with _translate_invalid(str(row[0])):
            runs.append(_past_run(row))
    return runs


@contextlib.contextmanager
def _translate_invalid(run: str) -> Iterator[None]:
    """Translate errors of invalid values, which an intact database file can contain nevertheless.

    The error is one of the database, to which ``read_history`` adds the path.
    """
    try:
        yield
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise sqlite3.DataError(
            f"the record of run {run} in the history is invalid ({error}); move the file away, and import "
            "the runs that still have folders with `harness history --import`"
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


def read_snapshot(connection: sqlite3.Connection, run: str) -> Snapshot:
    """A recorded run.

    Raises:
        UsageError: the run is not in the history.
        sqlite3.DataError: the record of the run is invalid.
    """
    with _translate_invalid(run):
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
                "latency": tuple(read_latency(connection, row["number"])),
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
    """Number of a part -> its names and values, for all parts of a run in one table."""
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


def _read_quantities(connection: sqlite3.Connection, run: int) -> list[QuantityDecision]:
    rows = connection.execute("SELECT decision FROM quantity WHERE run = ? ORDER BY place", (run,))
    return [msgspec.json.decode(row["decision"], type=QuantityDecision) for row in rows]


# Latency over time


class _Run(NamedTuple):
    number: int
    id: str
    created: str
    commit: str


def read_latencies(
    connection: sqlite3.Connection, matrix: str, machine_class: str, own: Snapshot | None = None
) -> list[RunLatency]:
    """The latency of every sweep of a matrix on one class of machine, the oldest run first.

    With ``own`` the result ends with that run, recorded or not. Runs with another baseline than the last are
    left out, because their ratios are not comparable; a run of a subset may lack the baseline and stays.

    Raises:
        sqlite3.DataError: the record of a run is invalid.
    """
    rows = connection.execute(
        "SELECT number, id, created, commit_id FROM run"
        " WHERE kind = 'sweep' AND matrix = ? AND machine_class = ?"
        " AND number IN (SELECT run FROM latency_columns) ORDER BY created, id",
        (matrix, machine_class),
    )
    runs = [_Run(*row) for row in rows.fetchall()]
    before = [run for run in runs if own is None or (run.created <= own.created and run.id != own.run)]
    cells = [_read_timed_cells(connection, run.number) for run in before]
    own_cells = {each.id: each.baseline for each in own.cells} if own is not None else {}
    last = next(filter(None, map(_baseline_of, (own_cells, *reversed(cells)))), "")
    found = list(_read_runs(connection, before, cells, last))
    return found if own is None else [*found, _take_own(own, own_cells)]


def _read_timed_cells(connection: sqlite3.Connection, run: int) -> dict[str, bool]:
    """The cells of a run, and whether each is its baseline."""
    cells = connection.execute("SELECT id, baseline FROM cell WHERE run = ?", (run,))
    return {cell: bool(baseline) for cell, baseline in cells}


def _baseline_of(cells: Mapping[str, bool]) -> str:
    """The baseline among cells; empty if a run of a subset does not contain it."""
    return next((cell for cell, baseline in cells.items() if baseline), "")


def _read_runs(
    connection: sqlite3.Connection, runs: Sequence[_Run], cells: Sequence[Mapping[str, bool]], baseline: str
) -> Iterator[RunLatency]:
    for run, mine in zip(runs, cells, strict=True):
        if _baseline_of(mine) not in {"", baseline}:
            continue
        with _translate_invalid(run.id):
            columns = read_times(connection, run.number)
        if columns is not None:
            yield RunLatency(
                run=run.id, created=run.created, commit=run.commit, cells=dict(mine), columns=columns
            )


def _take_own(own: Snapshot, cells: Mapping[str, bool]) -> RunLatency:
    return RunLatency(
        run=own.run,
        created=own.created,
        commit=own.commit,
        cells=dict(cells),
        columns=pack_latency(own.latency),
    )


def count_rebased(
    connection: sqlite3.Connection, matrix: str, machine_class: str, baseline: str | None, newest: str
) -> int:
    """The number of runs up to a time that are left out because of another baseline; None: unknown."""
    (count,) = connection.execute(
        "SELECT count(*) FROM run JOIN cell ON cell.run = run.number AND cell.baseline"
        " WHERE run.kind = 'sweep' AND matrix = ?1 AND machine_class = ?2 AND cell.id != ?3"
        " AND created <= ?4",
        (matrix, machine_class, baseline, newest),
    ).fetchone()
    return int(count)


# Earlier runs: sweeps of the same matrix and machine class.


def list_before(connection: sqlite3.Connection, run: Snapshot) -> list[PastRun]:
    """The earlier sweeps of the same matrix and machine class, the newest first."""
    alike = ("sweep", run.machine_class)
    return [
        past
        for past in list_runs(connection, run.matrix)
        if (past.kind, past.machine_class) == alike and past.created <= run.created and past.run != run.run
    ]


def find_last(connection: sqlite3.Connection, run: Snapshot) -> Snapshot | None:
    """The newest earlier run with all cells of ``run``, else the one with most of them; None without any.

    The newest run alone would not do: it may have one cell only, and hide changes in all others. For a
    complete run, runs of a subset are used only if no complete one has any of the cells.
    """
    past = list_before(connection, run)
    found = None if run.subset else _find_most(connection, run, [each for each in past if not each.subset])
    found = found or _find_most(connection, run, past)
    return read_snapshot(connection, found.run) if found else None


def _find_most(connection: sqlite3.Connection, run: Snapshot, past: Sequence[PastRun]) -> PastRun | None:
    """The first run with all cells, else the first with most of them, else None."""
    own = {cell.id for cell in run.cells}
    best, most = None, 0
    for each in past:
        common = len(own & _read_cell_ids(connection, each.run))
        if common > most:
            best, most = each, common
        if common == len(own):
            break
    return best


def _read_cell_ids(connection: sqlite3.Connection, run: str) -> set[str]:
    cells = connection.execute(
        "SELECT cell.id FROM run JOIN cell ON cell.run = run.number WHERE run.id = ?", (run,)
    )
    return {cell for (cell,) in cells}
