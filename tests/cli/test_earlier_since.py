from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.runs import make_case, make_plan, make_planned, make_result, make_run

from harness.cli.earlier import find_earlier
from harness.cli.rendering import render_run
from harness.judge.snapshot import take_snapshot
from harness.records import CheckOutcome, Comparison, Earlier, Run
from harness.report.grid import CellNames
from harness.report.markdown import render_markdown
from harness.report.page.html import view_changes
from harness.report.terminal import render_text
from harness.runs.database import Say
from harness.runs.recording import History, record_runs

CASE = "l0.oracle/manual/float32"


def make(name: str, now: str, *, red: bool = False, cells: str = "a", **changes: Any) -> Run:
    """A run of the cells that are named by a letter each; the last of them may be red."""
    planned = [make_planned(cell) for cell in cells]
    plan = make_plan(*planned, run=name, created=now, machine={"class": "m"})
    plan = msgspec.structs.replace(plan, **changes)
    outcomes: dict[str, CheckOutcome] = {
        cell: "fail" if red and cell == cells[-1] else "pass" for cell in cells
    }
    results = [
        make_result(
            cell, cases=[make_case(each, outcome, message="wrong") for each in planned[0].cases], run=name
        )
        for cell, outcome in outcomes.items()
    ]
    return make_run(plan, *results)


def remember(path: Path, *runs: Run) -> History:
    history = History(path / "history.sqlite3")
    record_runs([take_snapshot(run.plan, run.results, run.judgement) for run in runs], history, print)
    return history


def since(run: Run, history: History, say: Say = print) -> Comparison | None:
    return find_earlier(run, history, say).since


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
    render_run(run, tmp_path, Earlier(since=found))
    for name in ("index.html", "summary.md"):
        assert "Since the last run" in (tmp_path / name).read_text(encoding="utf-8")


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


def test_the_terminal_and_the_summary_tell_what_is_worse_and_how_to_see_the_rest(tmp_path: Path) -> None:
    history = remember(tmp_path, make("before", BEFORE, cells="ab"))
    run = make("now", NOW, cells="ab", red=True)
    earlier = Earlier(since=since(run, history))
    text = render_text(run, earlier, unicode=False)
    told = text.partition("\nSince the last run\n")[2].partition("\n\n")[0]
    assert told.startswith("  1 cell has another status; 4 cases are newly red.\n    x ok -> failed: b\n")
    assert "`harness compare before now` shows all." in " ".join(told.split())
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80
    summary = render_markdown(run, earlier)
    assert (
        "1 cell has another status; 4 cases are newly red. Against `before (sweep of compat): pass`; "
        in summary
    )
    assert "| Status of the cell | `ok -> failed` | `b` |" in summary
    nothing = render_text(run, Earlier(since=since(run, remember(tmp_path / "again", run))))
    assert "Since the last run" not in nothing


def test_a_run_of_some_cells_hides_nothing_of_the_others(tmp_path: Path) -> None:
    whole, part = make("whole", "2026-10-01T10:00:00+00:00", cells="ab"), make("part", BEFORE, subset=True)
    history = remember(tmp_path, whole, part)
    found = since(make("now", NOW, cells="ab", red=True), history)
    assert found is not None
    assert (found.before.run, found.cells, {each.cell for each in found.worse}) == ("whole", 2, {"b"})
    again = since(make("now", NOW, subset=True), history)
    assert again is not None
    assert again.before.run == "part"


def test_a_run_of_some_checks_hides_nothing_of_the_others(tmp_path: Path) -> None:
    whole, narrow = make("whole", "2026-10-01T10:00:00+00:00"), make("narrow", BEFORE, subset=True)
    found = since(make("now", NOW), remember(tmp_path, whole, narrow))
    assert found is not None
    assert found.before.run == "whole"
    alone = since(make("now", NOW), remember(tmp_path / "alone", narrow))
    assert alone is not None
    assert alone.before.run == "narrow"


def test_where_no_run_has_all_cells_it_says_how_many_it_speaks_of(tmp_path: Path) -> None:
    history = remember(tmp_path, make("before", BEFORE, cells="ab"))
    found = since(make("now", NOW, cells="abc"), history)
    view = view_changes(found, CellNames({}))
    assert view is not None
    assert view["word"] == "nothing worse in 2 of 3 cells"
    assert since(make("now", NOW, cells="c"), history) is None


@pytest.mark.parametrize("kind", ["folder", "name", "word"])
def test_a_history_that_cannot_be_read_costs_the_section_and_not_the_run(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    if kind == "folder":
        path.mkdir()
    elif kind == "name":
        path = tmp_path / ("x" * 300)
    else:
        path = remember(tmp_path, make("before", BEFORE)).path
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE run SET verdict = 'parsed'")
            connection.commit()
    said: list[str] = []
    assert since(make("now", NOW), History(path), said.append) is None
    assert [text.partition(":")[0] for text in said] == ["the page has no section on earlier runs"]
