"""The file of a history under many writers, a killed one, damage, and no space."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.histories import ROOT, ids, read, record
from support.pasts import latency, past

from harness.cli.earlier import make_trends
from harness.errors import MachineError
from harness.runs.database import HistoryError, open_history, transaction

WRITER = """
import sys
from pathlib import Path
from harness.runs.recording import History, record_runs
from support.pasts import latency, past
for number in range(10):
    run = f"{sys.argv[2]}-{number}"
    record_runs([past(run, latency=(latency(session=run),))], History(Path(sys.argv[1])), print)
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
    names = sorted(f"{name}-{n}" for name in ("one", "two", "three") for n in range(10))
    assert sorted(ids(path)) == names
    assert [read(path, name).latency for name in names] == [(latency(session=name),) for name in names]


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.runs import recording as writing
from harness.runs.database import open_history, transaction
from support.pasts import cell, latency, past
with open_history(Path(sys.argv[1]), print) as connection:
    connection.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
    with transaction(connection):
        many = tuple(cell(f"c{n}", versions={f"p{n}": str(m) for m in range(50)}) for n in range(400))
        writing.put_run(connection, past("second", *many, latency=(latency(),) * 400))
        print("written", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_that_is_killed_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    record(path, first := past("first", latency=(latency(),)))
    before = path.read_bytes()
    writer = start(KILLED, str(path))
    assert (writer.communicate()[0], writer.returncode) == ("written\n", -signal.SIGKILL)
    assert path.with_name("history.sqlite3-journal").exists()
    assert path.read_bytes() != before  # so it was really half-way
    assert (ids(path), read(path, "first")) == (["first"], first)
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
    assert f"renamed to {aside.name}, and a new one was created" in said[0]
    assert f"harness history --import {tmp_path}" in said[0]
    assert ids(path) == (["kept"] if first == "writer" else [])


@pytest.mark.parametrize("damage", [overwrite_header, scribble])
@pytest.mark.parametrize("first", ["reader", "writer"])
def test_a_file_that_may_never_have_been_a_history_is_left_alone(
    damage: Callable[[Path], None], first: str, tmp_path: Path
) -> None:
    path = tmp_path / "thesis.sqlite3"
    record(path, past("lost"))
    damage(path)
    with path.open("r+b") as file:  # the header of another program, or of none
        file.seek(68)
        file.write(b"mine")
    damaged = path.read_bytes()
    with pytest.raises(
        HistoryError, match=r"thesis\.sqlite3: not a history of the harness \(.*name another file"
    ):
        ids(path) if first == "reader" else record(path, past("kept"))
    assert path.read_bytes() == damaged
    assert {each.name for each in tmp_path.iterdir()} == {path.name, f"{path.name}.lock"}


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

    with pytest.raises(HistoryError, match=f"no space left on device: {path}"):
        fill()
    assert (ids(path), record(path, past("second"))) == (["first"], [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("p50 = x'00'", r"\(its columns of latency have different lengths\)"),
        ("p50 = 'some text'", "[Ii]nvalid base64"),
        ("names = '{}'", "missing required field"),
        ("""names = '{"cell":[],"scenario":[],"session":[]}'""", "no such name|a cell without a name"),
    ],
)
def test_columns_that_are_invalid_are_named_with_their_run(change: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    record(path, past("bad", latency=(latency(),)))
    with open_history(path, pytest.fail) as connection:
        connection.execute(f"UPDATE latency_columns SET {change}")  # noqa: S608 - from above
    for attempt in (lambda: read(path, "bad"), lambda: make_trends(path, None, pytest.fail)):
        with pytest.raises(MachineError, match=f"the record of run bad in the history is invalid.*{said}"):
            attempt()
