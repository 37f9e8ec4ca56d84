"""The runner of hostile input finds every kind of wrong answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hostile.rows import Row, read_file
from hostile.runner import Answer, Answers, Limits, Worker, faults_of

ROW = next(
    read_file("""
[[row]]
id = "planted"
kind = "matrix"
args = ["1048576"]
exit = 2
files."m.toml" = "schema = 1"
files.pipe.special = "fifo"
words = ["m.toml: title: this key is required"]
absent = ["hunter2"]
""")
)
GREEDY = msgspec.structs.replace(ROW, args=(str(8 * 2**30),))


@pytest.fixture(scope="module")
def worker(bases: Path) -> Iterator[Worker]:
    with Worker(bases, {}) as started:
        yield started


@pytest.mark.parametrize(
    ("name", "row", "fault"),
    [
        ("sound", ROW, None),
        ("imported", ROW, None),
        ("memory", ROW, None),
        ("traceback", ROW, "a traceback"),
        ("exception", ROW, "a traceback"),
        ("passing", ROW, "exit 0, but should be exit 2"),
        ("riddle", ROW, "the message lacks 'm.toml: title: this key is required'"),
        ("leak", ROW, "the message has 'hunter2'"),
        ("memory", GREEDY, "exit 1, but should be exit 2"),
        ("loop", ROW, "ended by signal 24, but should be exit 2"),
        ("hang", ROW, "it hung"),
        ("loss", ROW, "here/m.toml is not as it was before"),
        ("change", ROW, "here/m.toml is not as it was before"),
    ],
)
def test_a_wrong_answer_is_found_and_a_right_one_is_not(
    name: str, row: Row, fault: str | None, worker: Worker, tmp_path: Path
) -> None:
    limits = Limits(cpu=1, seconds=1.0 if name == "hang" else 30.0)
    faults = faults_of(row, worker.run(row, tmp_path, entry=f"hostile.planted:{name}", limits=limits))
    assert faults == [] if fault is None else fault in faults


def test_a_row_runs_once_for_all_processes(tmp_path: Path) -> None:
    asked = []

    def run(row: Row) -> Answer:
        asked.append(row.id)
        return Answer(2, "title: this key is required", ("m.toml",))

    first, second = (Answers(tmp_path / "answers", run) for _ in range(2))
    assert first.ask(ROW) == second.ask(ROW) == Answer(2, "title: this key is required", ("m.toml",))
    assert asked == ["planted"]
