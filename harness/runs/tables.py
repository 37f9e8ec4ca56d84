"""The tables of the history, and the migrations from earlier versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from harness.records import LatencyMeasure
from harness.runs.latency_columns import insert_latency

FIRST = """
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,            -- sweep, gate
    matrix TEXT NOT NULL,
    title TEXT NOT NULL,
    created TEXT NOT NULL,         -- ISO 8601, UTC
    commit_id TEXT NOT NULL,       -- empty where nobody knows
    machine_class TEXT NOT NULL,
    machine TEXT NOT NULL,         -- JSON: fact -> text
    verdict TEXT NOT NULL,
    sentence TEXT NOT NULL,
    subset INTEGER NOT NULL,
    cells INTEGER NOT NULL,
    red_cells INTEGER NOT NULL,
    red TEXT NOT NULL              -- JSON: outcome -> count
);
CREATE TABLE name (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
-- What many cells share, by its content: the versions of a lock, facts, the judged cases of a cell.
CREATE TABLE part (number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE);
CREATE TABLE version (
    part INTEGER NOT NULL REFERENCES part ON DELETE CASCADE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (part, name)
) WITHOUT ROWID;
CREATE TABLE fact (
    part INTEGER NOT NULL REFERENCES part ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (part, name)
) WITHOUT ROWID;
CREATE TABLE outcome (
    part INTEGER NOT NULL REFERENCES part ON DELETE CASCADE,
    place INTEGER NOT NULL,        -- in the order of the plan
    name INTEGER NOT NULL REFERENCES name,
    outcome TEXT NOT NULL,
    value REAL,
    allowed REAL,
    unit TEXT NOT NULL,
    bound TEXT NOT NULL,
    PRIMARY KEY (part, place)
) WITHOUT ROWID;
CREATE TABLE cell (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    place INTEGER NOT NULL,
    id TEXT NOT NULL,
    axes TEXT NOT NULL,            -- JSON: axis -> version
    python TEXT NOT NULL,
    status TEXT NOT NULL,
    red INTEGER NOT NULL,
    baseline INTEGER NOT NULL,
    lock TEXT NOT NULL,            -- its digest
    key TEXT NOT NULL,
    measured_by TEXT NOT NULL,     -- the id of a run, which may be gone
    peak_rss INTEGER NOT NULL,     -- bytes
    versions INTEGER NOT NULL REFERENCES part,
    facts INTEGER NOT NULL REFERENCES part,
    cases INTEGER NOT NULL REFERENCES part,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;
CREATE INDEX cell_versions ON cell (versions);
CREATE INDEX cell_facts ON cell (facts);
CREATE INDEX cell_cases ON cell (cases);
CREATE TABLE latency (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    place INTEGER NOT NULL,
    cell TEXT NOT NULL,
    scenario INTEGER NOT NULL REFERENCES name,
    session TEXT NOT NULL,
    p50 REAL NOT NULL,             -- seconds a call
    ratio REAL,                    -- to the baseline of the session, with its quartiles
    low REAL,
    high REAL,
    floor REAL,                    -- A/A deviation of the scenario, as a factor >= 1
    noise REAL,                    -- the largest one of the session
    rounds INTEGER NOT NULL,
    iterations INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;
CREATE TABLE quantity (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    place INTEGER NOT NULL,
    id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    baseline REAL,
    candidate REAL,
    ratio REAL,
    decision TEXT NOT NULL,        -- JSON: harness.gate_records.QuantityDecision
    PRIMARY KEY (run, place)
) WITHOUT ROWID;
"""

PINS = """
-- Runs that retention never removes, and that trends are measured against; by id, so that a pin outlives
-- the run being recorded again.
CREATE TABLE pin (run TEXT PRIMARY KEY) WITHOUT ROWID;
"""

WORDS = """
-- What a case recorded in words: types and messages of exceptions, dtypes. Unknown of older runs.
ALTER TABLE outcome ADD COLUMN words TEXT NOT NULL DEFAULT '';
"""

COLUMNS = """
-- The latency of a run as one column for each measure, see harness.records.LatencyColumns: a row for each
-- timing took three times the space, and half a million of them took seconds to read.
CREATE TABLE latency_columns (
    run INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    names TEXT NOT NULL,           -- JSON: cells, scenarios and sessions
    cell BLOB NOT NULL,            -- uint32, like the next two: places in the names
    scenario BLOB NOT NULL,
    session BLOB NOT NULL,
    p50 BLOB NOT NULL,             -- float64, like the next five: seconds a call
    ratio BLOB NOT NULL,           -- to the baseline of the session, with its quartiles
    noise BLOB NOT NULL,           -- the largest A/A deviation of the session, as a factor >= 1
    low BLOB NOT NULL,
    high BLOB NOT NULL,
    floor BLOB NOT NULL,           -- A/A deviation of the scenario
    rounds BLOB NOT NULL,          -- int64
    iterations BLOB NOT NULL
);
"""


def _run_script(script: str, connection: sqlite3.Connection) -> None:
    """Run statements one by one; ``executescript`` would commit the surrounding transaction."""
    for statement in _split(script):
        connection.execute(statement)


def _split(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _make_columns(connection: sqlite3.Connection) -> None:
    """Turn the rows of each run into columns."""
    _run_script(COLUMNS, connection)
    for (run,) in connection.execute("SELECT DISTINCT run FROM latency").fetchall():
        try:
            insert_latency(connection, run, list(_read_rows(connection, run)))
        except msgspec.ValidationError as error:  # an intact file can contain any value
            raise sqlite3.DataError(f"the latency of run {run} is invalid: {error}") from error
    connection.execute("DROP TABLE latency")
    connection.execute("DELETE FROM name WHERE number NOT IN (SELECT name FROM outcome)")


def _read_rows(connection: sqlite3.Connection, run: int) -> Iterator[LatencyMeasure]:
    rows = connection.execute(
        "SELECT cell, name.text, session, p50, ratio, low, high, floor, noise, rounds, iterations"
        " FROM latency JOIN name ON name.number = scenario WHERE run = ? ORDER BY place",
        (run,),
    )
    for row in rows:
        values = dict(zip(LatencyMeasure.__struct_fields__, row, strict=True))
        yield msgspec.convert(values, LatencyMeasure)


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    partial(_run_script, FIRST),
    partial(_run_script, PINS),
    partial(_run_script, WORDS),
    _make_columns,
)
"""Step n migrates version n to version n + 1; a published step never changes."""
