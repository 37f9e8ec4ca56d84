from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.command_line import command
from support.histories import record
from support.pasts import MACHINE, cell, latency, past

from harness.cli.earlier import make_trends
from harness.records import Snapshot, Trends
from harness.report.history.terminal import render_trends_text
from harness.runs.database import read_history
from harness.runs.past_runs import read_latencies
from harness.runs.recording import History, pin_run

Say = pytest.CaptureFixture[str]
RUNS = 30


def make_runs(count: int = RUNS, **changes: Any) -> list[Snapshot]:
    """Runs in which one scenario holds, one steps at run 15, one creeps by 1% a run; each with 2% of noise.

    The machine as a whole is twice as slow from run 20 on; the baseline's own embed.5 steps at run 10.
    """
    chance = random.Random(11)  # noqa: S311 - noise

    def noisy(value: float) -> float:
        return value * math.exp(chance.gauss(0, 0.02))

    runs = []
    for number in range(count):
        slow = 2.0 if number >= 20 else 1.0
        values = {"holds": 1.0, "steps": 1.4 if number >= 15 else 1.0, "creeps": 1.01**number}
        mine = [
            latency("a", name, session=f"s{number}", p50=1e-3, ratio=noisy(value))
            for name, value in values.items()
        ]
        own = [
            latency(
                "base",
                f"embed.{size}",
                session=f"s{number}",
                p50=noisy(size * 1e-3 * slow * (1.5 if size == 5 and number >= 10 else 1.0)),
            )
            for size in range(1, 8)
        ]
        stamp = f"2026-10-{number + 1:02}T10:00:00+00:00"
        cells = (cell("a"), cell("base", baseline=True))
        values_of_run: dict[str, Any] = {"created": stamp, "latency": (*mine, *own), **changes}
        runs.append(past(f"r{number:02}", *cells, **values_of_run))
    return runs


def write_runs(path: Path, count: int = RUNS, **changes: Any) -> None:
    record(path, *make_runs(count, **changes))


def trends(path: Path, matrix: str | None = None) -> Trends:
    return make_trends(path, matrix, pytest.fail, everything=True)


def test_a_step_a_creep_and_what_holds_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    write_runs(path)
    found = trends(path)
    kinds = {(each.cell, each.scenario): each.kind for each in found.trends}
    assert kinds == {
        ("a", "holds"): "steady",
        ("a", "steps"): "stepped",
        ("a", "creeps"): "crept",
        **{("base", f"embed.{size}"): "steady" for size in range(1, 8)},
        ("base", "embed.5"): "stepped",  # and none for the machine that became slow
    }
    by_name = {each.scenario: each for each in found.trends}
    (step,) = by_name["steps"].changes
    assert (step.last, step.first) == ("r14", "r15")
    assert step.ratio == pytest.approx(1.4, rel=0.05)
    (own,) = by_name["embed.5"].changes
    assert (own.last, own.first) == ("r09", "r10")
    assert by_name["creeps"].since == pytest.approx(1.01**28, rel=0.05)
    slope = by_name["creeps"].a_run
    assert slope is not None
    assert slope.low < 1.01 < slope.high
    assert by_name["holds"].a_run is None
    assert (found.reference, found.pinned, found.runs) == ("r00", False, RUNS)
    (note,) = found.notes
    assert note.startswith("no run on this class of machine is pinned, so the first is the reference; ")


def test_the_reference_is_the_newest_pinned_run(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    write_runs(path)
    for run in ("r05", "r20"):
        pin_run(run, History(path), pytest.fail, pinned=True)
    found = trends(path)
    assert (found.reference, found.pinned, found.notes) == ("r20", True, ())
    kinds = {each.scenario: each.kind for each in found.trends}
    assert (kinds["steps"], kinds["embed.5"], kinds["holds"]) == ("steady", "steady", "steady")  # before it
    assert kinds["creeps"] in {"crept", "unclear", "steady"}  # nine runs of 1% are few beside 2% of noise


def test_a_session_that_runs_took_over_counts_once_and_other_machines_do_not(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    write_runs(path, 3)
    again = past(
        "r90", cell("a"), created="2026-10-09T10:00:00+00:00", latency=(latency("a", "holds", session="s2"),)
    )
    other = past(
        "r00-other", created="2026-10-01T09:00:00+00:00", machine={"class": "m2"}, latency=(latency(),)
    )
    blind = past("r91", created="2026-10-10T10:00:00+00:00", latency=(latency(session="x", noise=None),))
    gate = past("g", kind="gate", created="2026-10-11T10:00:00+00:00", latency=(latency(session="g"),))
    record(path, again, other, blind, gate)
    found = trends(path)
    (holds,) = (each for each in found.trends if each.scenario == "holds")
    assert [point.run for point in holds.points] == ["r00", "r01", "r02"]
    assert found.timed == ("r00", "r01", "r02")
    assert "excluded, on other classes of machine: 1 run" in found.notes


def test_runs_that_were_held_against_another_baseline_are_left_out(tmp_path: Path) -> None:
    def rebase(run: Snapshot) -> Snapshot:
        cells = tuple(msgspec.structs.replace(each, baseline=each.id == "a") for each in run.cells)
        timed = tuple(msgspec.structs.replace(each, ratio=(each.ratio or 1) * 3) for each in run.latency)
        return msgspec.structs.replace(run, cells=cells, latency=timed)

    path = tmp_path / "h.sqlite3"
    first, *rest = make_runs(12)
    record(path, rebase(first), *rest)
    found = trends(path)
    assert {point.run for each in found.trends for point in each.points} == {run.run for run in rest}
    assert "excluded, with another baseline: 1 run" in found.notes
    assert found.reference == "r01"
    assert {each.kind for each in found.trends} <= {"steady", "crept", "unclear"}


def test_a_baseline_with_few_scenarios_has_no_trend_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    few = [
        msgspec.structs.replace(
            run, latency=tuple(each for each in run.latency if each.scenario != "embed.7")
        )
        for run in make_runs(6)
    ]
    record(path, *few)
    assert {each.cell for each in trends(path).trends} == {"a", "base"}
    fewer = [msgspec.structs.replace(run, latency=run.latency[:7]) for run in few]  # four of the baseline
    record(path, *fewer)
    assert {each.cell for each in trends(path).trends} == {"a"}


def test_no_run_is_searched_for(tmp_path: Path) -> None:
    path, asked = tmp_path / "h.sqlite3", list[str]()
    write_runs(path, 3)
    with read_history(path, pytest.fail) as connection:
        connection.set_trace_callback(asked.append)
        assert len(read_latencies(connection, "compat", MACHINE["class"])) == 3
        connection.set_trace_callback(None)
        plans = [
            step[-1] for question in asked for step in connection.execute(f"EXPLAIN QUERY PLAN {question}")
        ]
    assert [step for step in plans if "cell" in step] == ["SEARCH cell USING PRIMARY KEY (run=?)"] * 3
    assert not [step for step in plans if "SCAN" in step and step != "SCAN run"]
    assert [step for step in plans if "B-TREE" in step] == ["USE TEMP B-TREE FOR ORDER BY"]  # of the runs


def test_text_names_what_moved_and_the_command_that_says_why(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    write_runs(path)
    text = render_trends_text(trends(path), unicode=False)
    assert text.startswith(
        "compat: 30 runs of one machine class, 10 series: 7 steady, 2 stepped, 1 drifted\n"
    )
    assert "embed.5 in base: 1.41x since the reference, in one step" in text
    assert "`harness compare r14 r15` shows why" in " ".join(text.split())
    assert "holds in a" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "holds in a" in render_trends_text(trends(path), everything=True)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    monkeypatch.delenv("HARNESS_HISTORY", raising=False)
    place = ("--reports", str(tmp_path))
    assert command(monkeypatch, "trends", *place) == 2
    assert "no sweep in the history" in capsys.readouterr().err
    write_runs(History.beside(tmp_path).path, 4)
    assert command(monkeypatch, "trends", "--json", *place) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["runs"], len(found["trends"]), {each["kind"] for each in found["trends"]}) == (
        4,
        10,
        {"steady"},
    )
    assert command(monkeypatch, "trends", *place) == 0
    assert "no series is known to have changed" in capsys.readouterr().out


def test_a_history_without_latency_says_so(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite3"
    record(path, past())
    found = trends(path)
    assert (found.trends, found.notes[-1]) == ((), "no run measured latency with a noise floor")
    assert "no latency" in render_trends_text(found)


def test_one_run_says_nothing(tmp_path: Path) -> None:
    write_runs(tmp_path / "h.sqlite3", 1)
    assert {each.kind for each in trends(tmp_path / "h.sqlite3").trends} == {"unclear"}
