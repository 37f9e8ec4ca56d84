"""The commands that ask the history: ``history``, ``compare``, ``export``, and ``report``, which records."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest
from support.command_line import command
from support.histories import ids, make_world, put_gate, put_run, record
from support.pasts import past
from support.runs import make_full_run, make_small_run

from harness.records import Run
from harness.report.measurements import COLUMNS
from harness.runs.folder import read_folder
from harness.runs.recording import History

Say = pytest.CaptureFixture[str]


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
    assert told[0] == "recorded 1 run"
    assert told[1].split() == ["run", "when", "(UTC)", "matrix", "verdict", "cells", "red"]
    assert [line.split()[0] for line in told[2:]] == [
        "20261121-100000-compat-aaaa",
        "20261120-100001-smoke-dddd",
        "*",
    ]
    assert told[2].endswith(" regressed     2 1: fail 1")
    assert err.startswith("note: skipped: ")
    found = json.loads(history("--json", "--matrix", "compat")[0])
    assert [(each["run"], each["pinned"]) for each in found] == [
        ("20261121-100000-compat-aaaa", False),
        ("20261120-100000-compat-cccc", True),
    ]


def test_list_keeps_to_its_width(reports: Path) -> None:
    from harness.report.history.terminal import render_history_text  # noqa: PLC0415 - used here alone
    from harness.runs.database import read_history  # noqa: PLC0415 - used here alone
    from harness.runs.past_runs import list_runs  # noqa: PLC0415 - used here alone

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
    assert "HARNESS_KEEP_RUNS='many': expected a number of runs" in capsys.readouterr().err
    assert command(monkeypatch, "report", folder, "--reports", str(reports)) in {0, 1, 5}
    assert (
        "note: this run was not recorded in the history: HARNESS_KEEP_RUNS='many'" in capsys.readouterr().err
    )


def test_a_run_of_somebody_else_that_is_judged_again_is_not_recorded(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = put_run(tmp_path / "artifact", "20261123-100000-compat-eeee")
    before = ids(History.beside(reports).path)
    assert command(monkeypatch, "report", str(folder), "--reports", str(reports)) in {0, 1, 5}
    assert ids(History.beside(reports).path) == before
