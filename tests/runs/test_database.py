"""Files of an older harness, of a newer one, and of another program."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.histories import ids, read, record, runs
from support.pasts import past

from harness.runs import database
from harness.runs.database import FIRST, STEPS, HistoryError, read_history
from harness.runs.recording import History, pin_run


def test_a_history_of_the_first_version_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    path, old = tmp_path / "history.sqlite3", tmp_path / "old.sqlite3"
    record(old, past("run-1"))
    with sqlite3.connect(path) as connection:
        connection.executescript(FIRST)
        connection.execute(f"PRAGMA application_id = {database._APPLICATION}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("ATTACH ? AS old", (str(old),))
        for table in ("run", "name", "part", "version", "fact", "outcome", "cell"):
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} SELECT {columns} FROM old.{table}")  # noqa: S608 - names
    connection.close()
    assert read(path, "run-1") == past("run-1")
    with read_history(path, pytest.fail) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    pin_run("run-1", History(path), pytest.fail, pinned=True)
    assert [each.pinned for each in runs(path)] == [True]
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
