"""Histories and folders of runs to read, and what lies in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.pasts import past
from support.runs import make_plan, make_planned, make_small_run

from harness.judge.gate_verdict import refuse
from harness.records import (
    BASELINE,
    CANDIDATE,
    Gate,
    Interval,
    PastRun,
    Quantity,
    QuantityDecision,
    Question,
    Run,
    Snapshot,
    Speed,
)
from harness.report.measurements import render_measurements
from harness.runs.database import read_history
from harness.runs.documents import render_gate_json, render_json
from harness.runs.folder import RunFolder
from harness.runs.past_runs import list_runs, read_snapshot
from harness.runs.recording import History, record_folder, record_runs

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


def put_run(runs: Path, name: str = "run-1", **changes: Any) -> tuple[Run, Path]:
    run = make_small_run()
    run = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, run=name, **changes))
    folder = RunFolder.create(runs, run.plan)
    (folder.path / "results.json").write_text(render_json(run), encoding="utf-8")
    (folder.path / "measurements.csv").write_text(render_measurements(run), encoding="utf-8")
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
