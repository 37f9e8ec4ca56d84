from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.runs import make_case, make_plan, make_planned, make_result, make_run

from harness.earlier import recall
from harness.finished import write_renderings
from harness.history.database import Say
from harness.history.recording import History, record_runs
from harness.history_records import Comparison, Earlier
from harness.judge.snapshot import take_snapshot
from harness.records import Run
from harness.run.interrupt import run_interruptibly

CASE = "l0.oracle/manual/float32"


def make(name: str, now: str, *, red: bool = False, **changes: Any) -> Run:
    plan = make_plan(make_planned("a"), run=name, created=now, machine={"class": "m"})
    plan = msgspec.structs.replace(plan, **changes)
    cases = [make_case(each, "fail" if red else "pass", message="wrong") for each in plan.cells[0].cases]
    return make_run(plan, make_result("a", cases=cases, run=name))


def remember(path: Path, *runs: Run) -> History:
    history = History(path / "history.sqlite3")
    record_runs([take_snapshot(run.plan, run.results, run.judgement) for run in runs], history, print)
    return history


def since(run: Run, history: History, say: Say = print) -> Comparison | None:
    return run_interruptibly(recall(run, history, say)).since


BEFORE = "2026-11-01T10:00:00+00:00"
NOW = "2026-11-02T10:00:00+00:00"


def test_the_page_tells_what_is_new_since_the_newest_run_before(tmp_path: Path) -> None:
    older = make("older", "2026-10-01T10:00:00+00:00", red=True)
    history = remember(tmp_path, older, make("before", BEFORE))
    said: list[str] = []
    run = make("now", NOW, red=True)
    found = since(run, history, said.append)
    assert found is not None
    assert (found.before.run, {each.kind for each in found.worse}, said) == (
        "before",
        {"status-changed", "new-red"},
        [],
    )
    write_renderings(run, tmp_path, Earlier(since=found))
    assert "Since the last run" in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [{"matrix": "other"}, {"machine": {"class": "another"}}, {"created": "2026-11-03T10:00:00+00:00"}],
    ids=["matrix", "machine", "later"],
)
def test_a_run_of_something_else_is_not_the_last_one(tmp_path: Path, changes: dict[str, Any]) -> None:
    history = remember(tmp_path, make("before", BEFORE, **changes))
    assert since(make("now", NOW), history) is None


def test_a_run_is_not_compared_with_itself_nor_where_no_history_is_kept(tmp_path: Path) -> None:
    history = remember(tmp_path, make("now", NOW))
    assert since(make("now", NOW), history) is None
    kept = remember(tmp_path, make("before", BEFORE))
    assert since(make("now", NOW), History(kept.path, 0)) is None


def test_a_history_that_cannot_be_read_costs_the_section_and_not_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "history.sqlite3"
    folder.mkdir()
    said: list[str] = []
    assert since(make("now", NOW), History(folder), said.append) is None
    assert [text.partition(":")[0] for text in said] == ["the page tells nothing of earlier runs"]
