"""Runs on their way into the history and out of it: read from folders, recorded, found by name."""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from support.histories import DECISION, ROOT, put_gate, put_run, read

from harness.errors import UsageError
from harness.judge.snapshot import take_snapshot
from harness.runs.folder import find_folders, read_folder
from harness.runs.recording import History, record_folder


def test_a_run_is_read_from_its_folder_its_file_and_where_it_is_published(tmp_path: Path) -> None:
    run, folder = put_run(tmp_path)
    packed = tmp_path / "compat" / "results.json.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress((folder / "results.json").read_bytes()))
    expected = take_snapshot(run.plan, run.results, run.judgement)
    for place in (folder, folder / "results.json", packed, packed.parent):
        assert read_folder(place) == expected


def test_a_gate_that_was_refused_has_a_history_too(tmp_path: Path) -> None:
    found = read_folder(put_gate(tmp_path, refused=True))
    assert (found.kind, found.verdict, found.quantities) == ("gate", "unsatisfiable", (DECISION,))
    assert [(each.id, each.status, each.red) for each in found.cells] == [
        ("baseline", "missing", False),
        ("candidate", "unsatisfiable", True),
    ]


def test_what_is_no_finished_run_is_refused(tmp_path: Path) -> None:
    _, folder = put_run(tmp_path)
    (folder / "unfinished").touch()
    with pytest.raises(UsageError, match="the run was interrupted"):
        read_folder(folder)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match=r"expected a run: results\.json"):
        read_folder(tmp_path / "nothing")
    (tmp_path / "results.json.gz").write_bytes(b"\x1f\x8b broken")
    with pytest.raises(UsageError, match=r"results\.json\.gz: cannot be unpacked"):
        read_folder(tmp_path / "results.json.gz")
    with pytest.raises(UsageError, match="expected a run, or a folder"):
        list(find_folders(tmp_path / "nothing"))


def test_what_gets_in_the_way_of_recording_is_a_note(tmp_path: Path) -> None:
    _, folder = put_run(tmp_path)
    (tmp_path / "file").touch()
    said: list[str] = []
    record_folder(folder, History(tmp_path / "file" / "history.sqlite3"), said.append)
    record_folder(folder, History(tmp_path), said.append)  # a folder where the file should be
    record_folder(tmp_path / "nowhere", History(tmp_path / "h.sqlite3"), said.append)
    record_folder(folder, History(tmp_path / "none.sqlite3", keep=0), said.append)
    assert [text.partition(": ")[0] for text in said] == ["this run is not in the history"] * 3
    assert not (tmp_path / "none.sqlite3").exists()


LIMITED = """
import sys
from pathlib import Path
from harness.runs.recording import History, record_folder
record_folder(Path(sys.argv[1]), History(Path(sys.argv[2])), lambda text: print(text))
"""


def test_where_no_file_may_grow_the_run_is_over_all_the_same(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the system refuses what is written.

    Without bytecode: that would be cut off as well, and stay.
    """
    _, folder = put_run(tmp_path)
    done = subprocess.run(
        [sys.executable, "-B", "-c", LIMITED, str(folder), str(tmp_path / "h.sqlite3")],
        env={"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("this run is not in the history: ")


def test_what_is_recorded_is_what_lies_in_the_folder(tmp_path: Path) -> None:
    run, folder = put_run(tmp_path, commit="abc+changes")
    record_folder(folder, History(tmp_path / "h.sqlite3"), pytest.fail)
    assert read(tmp_path / "h.sqlite3", "run-1") == take_snapshot(run.plan, run.results, run.judgement)
    assert read(tmp_path / "h.sqlite3", "run-1").commit == "abc+changes"
