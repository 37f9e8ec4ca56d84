from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.pasts import past
from unit.runs import make_full_run, make_plan, make_planned, make_small_run
from unit.test_cli import command
from unit.test_history_database import DECISION, ROOT, ids, read, record

from harness.errors import UsageError
from harness.finished import RENDERINGS
from harness.gate_records import BASELINE, CANDIDATE, Gate, Question, Speed
from harness.history.finding import find_snapshot
from harness.history.folders import find_folders, read_folder
from harness.history.recording import History, record_folder
from harness.history.revision import read_revision
from harness.judge.gate import refuse
from harness.judge.snapshot import take_snapshot
from harness.records import Run
from harness.report.gate.jsonfile import render_gate_json
from harness.report.measurements_csv import COLUMNS
from harness.run.folder import RunFolder

Say = pytest.CaptureFixture[str]


def put_run(runs: Path, name: str = "run-1", **changes: Any) -> tuple[Run, Path]:
    run = make_small_run()
    run = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, run=name, **changes))
    folder = RunFolder.create(runs, run.plan)
    for file in ("results.json", "measurements.csv"):
        (folder.path / file).write_text(RENDERINGS[file](run), encoding="utf-8")
    folder.finish()
    return run, folder.path


def put_gate(runs: Path, *, refused: bool) -> Path:
    plan = make_plan(
        make_planned(BASELINE, baseline=True),
        make_planned(CANDIDATE, reason="numpy==9 is not there" if refused else ""),
        run="gate-1",
    )
    folder = RunFolder.create(runs, plan)
    gate = Gate(
        run="gate-1",
        matrix="compat",
        created=plan.created,
        question=Question(baseline="b", candidate="c", arguments=("numpy==9",)),
        decision=refuse("numpy==9 is not there"),
        speed=Speed(quantities=(DECISION,), confidence=0.99, spent=1.0, budget=2.0),
    )
    (folder.path / "gate.json").write_text(render_gate_json(gate), encoding="utf-8")
    folder.finish()
    return folder.path


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
    with pytest.raises(UsageError, match="a run that was cut off"):
        read_folder(folder)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match=r"no run: no results\.json"):
        read_folder(tmp_path / "nothing")
    (tmp_path / "results.json.gz").write_bytes(b"\x1f\x8b broken")
    with pytest.raises(UsageError, match=r"results\.json\.gz: cannot be read"):
        read_folder(tmp_path / "results.json.gz")
    with pytest.raises(UsageError, match="no run there"):
        list(find_folders(tmp_path / "nothing"))


def make_world(tmp_path: Path) -> tuple[Path, History]:
    """Two runs in folders, one of them recorded too, and one of which only the history knows."""
    reports = tmp_path / "reports"
    _, folder = put_run(reports / "runs", "20261121-100000-compat-aaaa", created="2026-11-21T10:00:00+00:00")
    put_run(reports / "runs", "20261122-100000-compat-bbbb", created="2026-11-22T10:00:00+00:00")
    history = History.beside(reports)
    record_folder(folder, history, pytest.fail)
    gone = past("20261120-100000-compat-cccc")
    record(history.path, gone, past("20261120-100001-smoke-dddd", matrix="smoke"))
    return reports, history


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("latest", "20261121-100000-compat-aaaa"),
        ("previous", "20261120-100000-compat-cccc"),  # not that of another matrix, which is nearer
        ("20261120-100000", "20261120-100000-compat-cccc"),
        ("20261122-100000-compat-bbbb", "20261122-100000-compat-bbbb"),
        ("20261122", "20261122-100000-compat-bbbb"),
    ],
)
def test_a_run_is_found_by_what_a_person_calls_it(wanted: str, found: str, tmp_path: Path) -> None:
    reports, history = make_world(tmp_path)
    assert find_snapshot(wanted, reports, history, pytest.fail).run == found


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("20261120", "'20261120' may be 20261120-100001-smoke-dddd, 20261120-100000-compat-cccc; write more"),
        ("nope", "nope: no run, folder or file of results is called so; `harness history` lists"),
        ("2026%", "no run, folder or file"),
        ("x" * 5000, "no run, folder or file"),
    ],
)
def test_what_nobody_is_called_is_told(wanted: str, said: str, tmp_path: Path) -> None:
    reports, history = make_world(tmp_path)
    with pytest.raises(UsageError) as error:
        find_snapshot(wanted, reports, history, pytest.fail)
    assert said in str(error.value)


def test_without_any_history_the_way_to_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty; run a sweep, or `harness history --import FOLDER`"):
        find_snapshot("latest", tmp_path, History.beside(tmp_path), pytest.fail)
    assert list(tmp_path.iterdir()) == []  # looking makes nothing


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
from harness.history.recording import History, record_folder
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


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARNESS_HISTORY", raising=False)
    monkeypatch.delenv("HARNESS_KEEP_RUNS", raising=False)
    return make_world(tmp_path)[0]


def test_history_lists_imports_pins_and_removes(
    reports: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    def history(*arguments: str) -> tuple[str, str]:
        assert command(monkeypatch, "history", "--reports", str(reports), *arguments) == 0
        return capsys.readouterr()

    (reports / "runs" / "20261122-100000-compat-bbbb" / "results.json").write_text("{", encoding="utf-8")
    out, err = history("--import", str(reports / "runs"), "--pin", "20261120-100000", "--keep-runs", "1")
    told = out.splitlines()
    assert told[0] == "took in 1 run"
    assert told[1].split() == ["run", "when", "(UTC)", "matrix", "verdict", "cells", "red"]
    assert [line.split()[0] for line in told[2:]] == [
        "20261121-100000-compat-aaaa",
        "20261120-100001-smoke-dddd",
        "*",
    ]
    assert told[2].endswith(" regressed     2 1: fail 1")
    assert err.startswith("note: left out: ")
    found = json.loads(history("--json", "--matrix", "compat")[0])
    assert [(each["run"], each["pinned"]) for each in found] == [
        ("20261121-100000-compat-aaaa", False),
        ("20261120-100000-compat-cccc", True),
    ]


def test_list_keeps_to_its_width(reports: Path) -> None:
    from harness.history.database import read_history  # noqa: PLC0415 - used here alone
    from harness.history.reading import list_runs  # noqa: PLC0415 - used here alone
    from harness.report.past.history_text import render_history_text  # noqa: PLC0415 - used here alone

    with read_history(History.beside(reports).path, pytest.fail) as connection:
        runs = list_runs(connection)
    run = make_full_run("x")
    worst = msgspec.structs.replace(
        runs[0],
        red={"error": 9999, "fail": 9999, "missing": 99999, "xpass": 9},
        red_cells=200,
        matrix="m" * 40,
    )
    assert run.plan.cells
    for width in (60, 80, 120):
        text = render_history_text([worst, *runs], width=width, unicode=False)
        assert max(map(len, text.splitlines())) <= width
        assert text.isascii()


def test_compare_tells_and_its_exit_code_says_whether_it_is_worse(
    reports: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    same = ("20261121-100000", "20261122-100000-compat-bbbb", "--reports", str(reports))
    assert command(monkeypatch, "compare", *same) == 0
    assert capsys.readouterr().out.startswith("Nothing got worse, nothing differs.\n")
    folder = reports / "runs" / "20261122-100000-compat-bbbb"
    run = msgspec.json.decode((folder / "results.json").read_bytes(), type=Run)
    red = tuple(
        msgspec.structs.replace(each, outcome="error") if each.outcome == "pass" else each
        for each in run.judgement.findings
    )
    worse = msgspec.structs.replace(run, judgement=msgspec.structs.replace(run.judgement, findings=red))
    (folder / "results.json").write_bytes(msgspec.json.encode(worse))
    assert command(monkeypatch, "compare", *same) == 1
    assert capsys.readouterr().out.startswith("WORSE: 4 cases are newly red.\n")
    assert command(monkeypatch, "compare", *same, "--json") == 1
    assert len(json.loads(capsys.readouterr().out)["differences"]) == 4
    assert command(monkeypatch, "compare", *same, "--markdown") == 1
    assert capsys.readouterr().out.startswith("**WORSE**: 4 cases are newly red.\n")
    assert command(monkeypatch, "compare", "nope", "--reports", str(reports)) == 2


def test_export_writes_every_measurement_once(
    reports: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert command(monkeypatch, "export", "20261122", "--reports", str(reports)) == 0
    out = capsys.readouterr().out
    assert out == (reports / "runs" / "20261122-100000-compat-bbbb" / "measurements.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert tuple(rows[0]) == COLUMNS
    run = make_small_run()
    counts = [
        sum(row["measure"] == kind for row in rows) for kind in ("check", "latency", "memory", "quantity")
    ]
    assert counts == [len(run.judgement.findings), len(run.judgement.latency), len(run.results), 0]
    red = next(row for row in rows if row["outcome"] == "fail")
    about = {"run": "20261122-100000-compat-bbbb", "kind": "sweep", "matrix": "compat", "commit": ""}
    said = {
        "cell": "new",
        "status": "failed",
        "name": "l0.parity/manual/float16",
        "value": "9.0",
        "unit": "ulp",
    }
    assert red == red | about | said | {"bound": "max", "allowed": "2.0", "measure": "check"}
    slow = next(row for row in rows if row["measure"] == "latency" and row["cell"] == "new")
    assert slow == slow | {"value": "0.002", "unit": "s", "ratio": "2.0", "samples": "4"}
    assert float(slow["noise"]) == pytest.approx(1.1)
    gate = reports / "gate.csv"
    record(History.beside(reports).path, read_folder(put_gate(reports / "gates", refused=False)))
    assert command(monkeypatch, "export", "--all", "--out", str(gate), "--reports", str(reports)) == 0
    rows = list(csv.DictReader(io.StringIO(gate.read_text("utf-8"))))
    (decided,) = (row for row in rows if row["measure"] == "quantity")
    numbers = {"value": "0.0012", "allowed": "1.05", "ratio_low": "1.1", "samples": "12"}
    assert decided == decided | {"cell": "candidate", "outcome": "regressed", "bound": "ratio"} | numbers
    assert len({row["run"] for row in rows}) == 4


def test_where_the_history_lies_and_how_much_it_keeps_is_said_by_the_environment(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    mine, folder = tmp_path / "mine.sqlite3", str(reports / "runs" / "20261122-100000-compat-bbbb")
    monkeypatch.setenv("HARNESS_HISTORY", str(mine))
    monkeypatch.setenv("HARNESS_KEEP_RUNS", "1")
    record(mine, past("20251120-old"))
    assert command(monkeypatch, "report", folder, "--reports", str(reports)) in {0, 1, 5}
    assert ids(mine) == ["20261122-100000-compat-bbbb"]
    assert "note: removed 1 old run from the history, 20251120-old the oldest" in capsys.readouterr().err
    monkeypatch.setenv("HARNESS_KEEP_RUNS", "many")
    assert command(monkeypatch, "history") == 2
    assert "HARNESS_KEEP_RUNS='many': a number of runs was meant" in capsys.readouterr().err
    assert command(monkeypatch, "report", folder, "--reports", str(reports)) in {0, 1, 5}
    assert "note: this run is not in the history: HARNESS_KEEP_RUNS='many'" in capsys.readouterr().err


def test_a_run_of_somebody_else_that_is_judged_again_is_not_recorded(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = put_run(tmp_path / "artifact", "20261123-100000-compat-eeee")
    before = ids(History.beside(reports).path)
    assert command(monkeypatch, "report", str(folder), "--reports", str(reports)) in {0, 1, 5}
    assert ids(History.beside(reports).path) == before


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", *names, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
def test_the_commit_is_that_of_the_repository_and_says_when_files_differ(tmp_path: Path) -> None:
    def revision() -> str:
        return asyncio.run(read_revision(tmp_path))

    assert revision() == ""
    git(tmp_path, "init", "-q")
    assert revision() == ""
    (tmp_path / "a").write_text("1", encoding="utf-8")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").touch()
    assert revision() == head
    (tmp_path / "a").write_text("2", encoding="utf-8")
    assert revision() == f"{head}+changes"


def test_what_is_recorded_is_what_lies_in_the_folder(tmp_path: Path) -> None:
    run, folder = put_run(tmp_path, commit="abc+changes")
    record_folder(folder, History(tmp_path / "h.sqlite3"), pytest.fail)
    assert read(tmp_path / "h.sqlite3", "run-1") == take_snapshot(run.plan, run.results, run.judgement)
    assert read(tmp_path / "h.sqlite3", "run-1").commit == "abc+changes"
