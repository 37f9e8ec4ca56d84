from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.runs import make_case, make_plan, make_planned, make_result, make_run

from harness.finished import write_renderings
from harness.history.recording import History, record_runs
from harness.history.since import compare_with_last
from harness.judge.snapshot import take_snapshot
from harness.records import Run

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


BEFORE = "2026-11-01T10:00:00+00:00"
NOW = "2026-11-02T10:00:00+00:00"


def test_the_page_tells_what_is_new_since_the_newest_run_before(tmp_path: Path) -> None:
    older = make("older", "2026-10-01T10:00:00+00:00", red=True)
    history = remember(tmp_path, older, make("before", BEFORE))
    said: list[str] = []
    run = make("now", NOW, red=True)
    found = compare_with_last(run, history, said.append)
    assert found is not None
    assert (found.before.run, {each.kind for each in found.worse}, said) == (
        "before",
        {"status-changed", "new-red"},
        [],
    )
    write_renderings(run, tmp_path, lambda it: compare_with_last(it, history, said.append))
    assert "Since the last run" in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [{"matrix": "other"}, {"machine": {"class": "another"}}, {"created": "2026-11-03T10:00:00+00:00"}],
    ids=["matrix", "machine", "later"],
)
def test_a_run_of_something_else_is_not_the_last_one(tmp_path: Path, changes: dict[str, Any]) -> None:
    history = remember(tmp_path, make("before", BEFORE, **changes))
    assert compare_with_last(make("now", NOW), history, print) is None


def test_a_run_is_not_compared_with_itself_nor_where_no_history_is_kept(tmp_path: Path) -> None:
    history = remember(tmp_path, make("now", NOW))
    assert compare_with_last(make("now", NOW), history, print) is None
    kept = remember(tmp_path, make("before", BEFORE))
    assert compare_with_last(make("now", NOW), History(kept.path, 0), print) is None


def test_a_history_that_cannot_be_read_costs_the_section_and_not_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "history.sqlite3"
    folder.mkdir()
    said: list[str] = []
    assert compare_with_last(make("now", NOW), History(folder), said.append) is None
    assert [text.partition(":")[0] for text in said] == ["the page tells nothing of the last run"]
