from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.pasts import case, cell, latency, past
from unit.runs import make_full_run

from harness.gate_records import Interval, Quantity, QuantityDecision
from harness.history import database
from harness.history.database import HistoryError, open_history, read_history, transaction
from harness.history.reading import list_runs, read_snapshot
from harness.history.recording import History, keep_newest, pin_run, record_runs
from harness.history.schema import FIRST, STEPS
from harness.history_records import PastRun, Snapshot
from harness.judge.snapshot import summarize_snapshot, take_snapshot

ROOT = Path(__file__).parents[2]

DECISION = QuantityDecision(
    quantity=Quantity(id="embed.openvino.float32.1", group="embedding", unit="s", threshold=1.05),
    outcome="regressed",
    baseline=1e-3,
    candidate=1.2e-3,
    change=Interval(low=1.1, ratio=1.2, high=1.3),
    blocks=12,
)


def runs(path: Path, said: list[str] | None = None) -> list[PastRun]:
    with read_history(path, (said if said is not None else []).append) as connection:
        return list_runs(connection)


def ids(path: Path, said: list[str] | None = None) -> list[str]:
    return [each.run for each in runs(path, said)]


def read(path: Path, run: str) -> Snapshot:
    with read_history(path, pytest.fail) as connection:
        return read_snapshot(connection, run)


def record(path: Path, *snapshots: Snapshot, keep: int = 200) -> list[str]:
    said: list[str] = []
    record_runs(snapshots, History(path, keep), said.append)
    return said


def count(path: Path, table: str) -> int:
    with read_history(path, pytest.fail) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a table's name


def full() -> Snapshot:
    run = make_full_run("text ✓ ' %")
    return take_snapshot(run.plan, run.results, run.judgement)


def test_what_is_written_is_read_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "history.sqlite3"
    gate = past("run-2", kind="gate", latency=(latency(), latency(ratio=None)), quantities=(DECISION,))
    assert record(path, full(), gate) == []
    assert (read(path, "run-1"), read(path, "run-2")) == (full(), gate)
    assert runs(path) == [summarize_snapshot(full()), summarize_snapshot(gate)]  # the same second: by id
    assert runs(path)[0].red == {"error": 1, "fail": 1, "missing": 16, "xpass": 1}


def test_a_run_that_is_recorded_twice_is_there_once_as_it_was_last(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    again = past("run-1", cell("a", case(outcome="fail", value=3.0)), verdict="regressed")
    record(path, past("run-1"), past("run-1"), again)
    assert (ids(path), read(path, "run-1")) == (["run-1"], again)
    assert count(path, "outcome") == 1  # that of before is gone


def test_what_runs_share_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    record(path, *(past(f"run-{number}") for number in range(5)))
    assert [count(path, table) for table in ("run", "cell", "outcome", "version", "fact")] == [5, 5, 1, 2, 1]


WRITER = """
import sys
from pathlib import Path
from harness.history.recording import History, record_runs
from unit.pasts import past
for number in range(10):
    record_runs([past(f"{sys.argv[2]}-{number}")], History(Path(sys.argv[1])), print)
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=env, stdout=subprocess.PIPE, text=True
    )


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    writers = [start(WRITER, str(path), name) for name in ("one", "two", "three")]
    assert [(writer.communicate()[0], writer.returncode) for writer in writers] == [("", 0)] * 3
    assert sorted(ids(path)) == sorted(f"{name}-{n}" for name in ("one", "two", "three") for n in range(10))


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.history import writing
from harness.history.database import open_history, transaction
from unit.pasts import cell, past
with open_history(Path(sys.argv[1]), print) as connection:
    connection.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
    with transaction(connection):
        many = tuple(cell(f"c{n}", versions={f"p{n}": str(m) for m in range(50)}) for n in range(400))
        writing.put_run(connection, past("second", *many))
        print("written", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_that_is_killed_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    record(path, past("first"))
    before = path.read_bytes()
    writer = start(KILLED, str(path))
    assert (writer.communicate()[0], writer.returncode) == ("written\n", -signal.SIGKILL)
    assert path.with_name("history.sqlite3-journal").exists()
    assert path.read_bytes() != before  # so it was really half-way
    assert ids(path) == ["first"]
    assert record(path, past("third")) == []
    assert sorted(ids(path)) == ["first", "third"]


def overwrite_header(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 300)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8192])


def scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:12288] = b"\xff" * 8192
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [overwrite_header, cut_off, scribble])
@pytest.mark.parametrize("first", ["reader", "writer"])
def test_a_damaged_history_is_put_aside_and_a_new_one_begun(
    damage: Callable[[Path], None], first: str, tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite3"
    record(path, past("lost"))
    damage(path)
    journal = path.with_name(f"{path.name}-journal")
    journal.write_bytes(b"of the damaged one")
    damaged, said = path.read_bytes(), list[str]()
    if first == "reader":
        assert ids(path, said) == []
    else:
        said = record(path, past("kept"))
    (aside,) = tmp_path.glob("history.damaged-*.sqlite3")
    assert (aside.read_bytes(), journal.exists()) == (damaged, False)
    assert len(said) == 1
    assert f"put aside as {aside.name}, and a new one begun" in said[0]
    assert f"harness history --import {tmp_path}" in said[0]
    assert ids(path) == (["kept"] if first == "writer" else [])


def test_a_history_of_the_first_version_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    path, old = tmp_path / "history.sqlite3", tmp_path / "old.sqlite3"
    record(old, past("run-1"))
    with sqlite3.connect(path) as connection:
        connection.executescript(FIRST)
        connection.execute(f"PRAGMA application_id = {database._APPLICATION}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("ATTACH ? AS old", (str(old),))
        for table in ("run", "name", "part", "version", "fact", "outcome", "cell"):
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")  # noqa: S608 - a name
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
        (make_foreign, "a database, but no history of the harness; name another file"),
        (
            make_newer,
            f"of version 99, but this harness knows versions up to {len(STEPS)}; use a newer harness",
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


def test_where_the_disk_is_full_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    record(path, past("first"))

    def fill() -> None:
        with open_history(path, pytest.fail) as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
            with transaction(connection):
                connection.executemany(
                    "INSERT INTO name (text) VALUES (?)", [(str(n) * 9,) for n in range(9999)]
                )

    with pytest.raises(HistoryError, match="database or disk is full"):
        fill()
    assert (ids(path), record(path, past("second"))) == (["first"], [])


def test_the_newest_runs_of_each_matrix_and_kind_are_kept_and_what_goes_is_said(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    days = [f"2026-11-{day:02}T10:00:00+00:00" for day in range(1, 6)]
    sweeps = [past(f"s{n}", cell("a", case(value=float(n))), created=day) for n, day in enumerate(days)]
    record(path, sweeps[0])
    pin_run("s0", History(path), pytest.fail, pinned=True)
    said = record(path, *sweeps[1:], past("g", kind="gate"), past("o", matrix="openvino"), keep=2)
    assert said == ["removed 2 old runs from the history, s1 the oldest: it keeps 2 of each matrix and kind"]
    assert sorted(ids(path)) == ["g", "o", "s0", "s3", "s4"]
    assert count(path, "outcome") == 4  # those of s1 and s2 went with them
    pin_run("s0", History(path), pytest.fail, pinned=False)
    told: list[str] = []
    keep_newest(History(path, 1), told.append)
    assert sorted(ids(path)) == ["g", "o", "s4"]
    assert told == ["removed 2 old runs from the history, s0 the oldest: it keeps 1 of each matrix and kind"]


def test_space_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    cases = [case(f"l0.check/{number}") for number in range(2000)]
    record(path, past("small"), past("large", cell("a", *cases), created="2026-01-01T00:00:00+00:00"))
    large = path.stat().st_size
    keep_newest(History(path, 1), list[str]().append)
    assert path.stat().st_size < large / 2


def test_a_hundred_runs_take_as_many_questions_as_one(tmp_path: Path) -> None:
    """Counted, not timed: neither the list nor one run asks more where there are more runs."""

    def questions(path: Path) -> list[int]:
        counts = []
        for work in (list_runs, lambda connection: read_snapshot(connection, "run-0")):
            asked: list[str] = []
            with read_history(path, pytest.fail) as connection:
                connection.set_trace_callback(asked.append)
                work(connection)
            counts.append(len(asked))
        return counts

    one, many = tmp_path / "one.sqlite3", tmp_path / "many.sqlite3"
    record(one, past("run-0"))
    cells = [cell(f"c{number}", *(case(f"l0.{n}") for n in range(200))) for number in range(10)]
    record(many, *(past(f"run-{number}", *cells) for number in range(100)))
    assert len(ids(many)) == 100
    assert questions(many) == questions(one) == [1, 7]
    assert count(many, "outcome") == 200
    assert many.stat().st_size < 2_000_000
