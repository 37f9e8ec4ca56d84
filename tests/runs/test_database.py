"""Files of an older harness, of a newer one, and of another program."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.earlier_histories import write_earlier
from support.histories import ids, read, record, runs
from support.pasts import cell, latency, past

from harness.runs.database import HistoryError, read_history
from harness.runs.recording import History, pin_run
from harness.runs.tables import STEPS


@pytest.mark.parametrize("version", range(1, len(STEPS)))
def test_a_history_of_an_earlier_version_is_brought_up_to_date_with_all_that_is_in_it(
    version: int, tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite3"
    rows = (
        latency(p50=2e-3),
        latency("a", "embed.2", session="", ratio=None, noise=None, low=None),
        latency("gone", p50=3e-3),
    )
    before = past("run-1", cell("a", baseline=True), latency=rows), past("run-2"), past("run-3", latency=rows)
    write_earlier(path, version, *before)
    assert [read(path, each.run) for each in before] == list(before)
    with read_history(path, pytest.fail) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'latency'").fetchall() == []
    pin_run("run-1", History(path), pytest.fail, pinned=True)
    assert [each.run for each in runs(path) if each.pinned] == ["run-1"]
    assert sorted(each.name for each in tmp_path.glob("history.*")) == [
        "history.sqlite3",
        "history.sqlite3.lock",
    ]


def make_foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE run (mine)")
    connection.close()


def make_newer(path: Path) -> None:
    record(path, past())
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_foreign, "a database, but not a history of the harness; name another file"),
        (
            make_newer,
            f"found history version 99, expected at most {len(STEPS)}; use a newer harness",
        ),
    ],
)
def test_what_is_of_another_program_or_a_newer_harness_is_left_alone(
    make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite3"
    make(path)
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="sqlite3: ") as reading:
        ids(path)
    with pytest.raises(HistoryError, match="sqlite3: ") as writing:
        record(path, past("run-2"))
    assert said in str(reading.value)
    assert said in str(writing.value)
    assert path.read_bytes() == before
