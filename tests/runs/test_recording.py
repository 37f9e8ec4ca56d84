"""What is written into a history is read back, once, and what is old goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.histories import DECISION, count, ids, read, record, runs
from support.pasts import case, cell, latency, past
from support.runs import CASES, make_case, make_full_run, make_plan, make_planned, make_result, make_run, seen

from harness.judge.snapshot import summarize_snapshot, take_snapshot
from harness.records import Snapshot
from harness.runs.database import read_history
from harness.runs.past_runs import list_runs, read_snapshot
from harness.runs.recording import History, keep_newest, pin_run


def full() -> Snapshot:
    run = make_full_run("text ✓ ' %")
    return take_snapshot(run.plan, run.results, run.judgement)


def test_what_a_case_recorded_in_words_is_kept(tmp_path: Path) -> None:
    told = seen(
        bound="equal", unit="", facts={"exception": "AttributeError", "message": "no 'norm'", "count": 3}
    )
    number = seen(facts={"sample": "0.119 where 0.12 is due"})
    cases = [make_case(CASES[0], observation=told), make_case(CASES[1], observation=number)]
    run = make_run(make_plan(make_planned("a", cases=CASES[:2])), make_result("a", cases=cases))
    record(tmp_path / "h", take_snapshot(run.plan, run.results, run.judgement))
    (found,) = read(tmp_path / "h", run.plan.run).cells
    assert [each.words for each in found.cases] == ["exception: AttributeError; message: no 'norm'", ""]


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


def test_runs_of_some_cells_push_no_whole_sweep_out(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    days = [f"2026-11-{day:02}T10:00:00+00:00" for day in range(1, 6)]
    parts = [past(f"p{n}", created=day, subset=True) for n, day in enumerate(days)]
    record(path, past("whole", created="2026-10-01T10:00:00+00:00"), *parts, keep=2)
    assert sorted(ids(path)) == ["p3", "p4", "whole"]


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
