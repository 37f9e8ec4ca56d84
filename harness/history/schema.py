"""The tables of the history, and the way from each earlier version of them to this one."""

from __future__ import annotations

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

STEPS = (FIRST, PINS, WORDS)
"""Step n leads from version n to version n + 1; a step that has been published is never changed."""
