from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from cli.test_earlier import make_runs, trends, write_runs
from support.histories import record
from support.pasts import past
from support.runs import make_full_run, make_plan, make_planned, make_result, make_run, make_timing

from harness.cli import earlier
from harness.cli.earlier import Past, find_earlier, judge_past, read_until
from harness.errors import MachineError
from harness.judge.latency_series import join_timings
from harness.judge.snapshot import take_snapshot
from harness.records import Earlier, Run, Snapshot, Trends
from harness.report.history.view import group_scenarios
from harness.report.page.html import render_html, view_trends
from harness.runs.database import read_history
from harness.runs.recording import History


def until(path: Path, own: Snapshot) -> Past | None:
    with read_history(path, pytest.fail) as connection:
        return read_until(connection, own)


def test_the_past_of_a_run_ends_with_it_whether_it_is_recorded_or_not(tmp_path: Path) -> None:
    runs = make_runs(8)
    record(tmp_path / "without", *runs[:5])
    record(tmp_path / "with", *runs)  # and three that came later
    own = runs[5]
    without, recorded = until(tmp_path / "without", own), until(tmp_path / "with", own)
    assert without is not None
    assert recorded is not None
    assert judge_past(without, everything=True) == judge_past(recorded, everything=True)
    assert [run.run for run in without.runs] == [f"r0{number}" for number in range(6)]
    assert [each.run for each in without.timings.runs] == [run.run for run in without.runs]


def test_too_few_sessions_have_no_trends(tmp_path: Path) -> None:
    runs = make_runs(5)
    record(tmp_path / "h", *runs[:2])
    assert until(tmp_path / "h", runs[2]) is None
    record(tmp_path / "h", runs[2])
    assert until(tmp_path / "h", runs[3]) is not None
    taken_over = msgspec.structs.replace(
        runs[3], latency=tuple(msgspec.structs.replace(each, session="s2") for each in runs[3].latency)
    )
    assert until(tmp_path / "h", taken_over) is None  # three sessions in four runs
    assert until(tmp_path / "h", msgspec.structs.replace(runs[3], latency=())) is None
    assert until(tmp_path / "h", msgspec.structs.replace(runs[3], kind="gate")) is None


def test_the_page_names_what_moved_and_draws_every_scenario(tmp_path: Path) -> None:
    write_runs(tmp_path / "h")
    found = trends(tmp_path / "h")
    page = render_html(make_full_run(), Earlier(trends=found))
    start = page.index('<h2 id="trends"')
    section = page[start : page.index("</section>", start)]
    assert "30 sessions timed 10 series on this class of machine" in section
    assert "7 steady, 2 stepped, 1 drifted" in section
    rows = re.findall(r"<tr>(.*?)</tr>", section.partition("<figure>")[0])[1:]
    assert [re.sub("<[^>]+>", " ", row).split()[1:3] for row in rows] == [
        ["slower", "embed.5"],
        ["slower", "steps"],
        ["slower", "creeps"],
    ]
    assert "harness compare r14 r15" in section
    assert "per session" in section
    assert "<code>harness history --pin RUN</code> chooses another" in section
    titles = re.findall(r"<figcaption>(.*?)</figcaption>", section)
    assert {"holds", "steps", "creeps", "embed.1"} <= set(titles)
    assert '<a href="#trends">' in page


def test_without_trends_there_is_no_section(tmp_path: Path) -> None:
    assert view_trends(None) is None
    record(tmp_path / "h", past())
    assert view_trends(trends(tmp_path / "h")) is None
    assert 'id="trends"' not in render_html(make_full_run())


def test_what_holds_is_said_to_hold(tmp_path: Path) -> None:
    write_runs(tmp_path / "h", 5)
    view = view_trends(trends(tmp_path / "h"))
    assert view is not None
    assert (view["kind"], view["word"], view["moved"], view["hidden"]) == ("pass", "nothing changed", [], 0)


def test_only_the_series_that_changed_most_have_a_line_of_their_own(tmp_path: Path) -> None:
    write_runs(tmp_path / "h")
    found = trends(tmp_path / "h")
    (step,) = (each for each in found.trends if each.scenario == "steps")
    many = [msgspec.structs.replace(step, cell=f"c{number}", since=1.1 + number / 10) for number in range(6)]
    several = msgspec.structs.replace(found, trends=tuple(many))
    (grouped,) = group_scenarios(several, most=2)
    assert ([each.cell for each in grouped.news], grouped.left) == (["c5", "c4"], 4)
    first, last = grouped.levels[0], grouped.levels[-1]
    assert (first.run, last.run, len(grouped.levels)) == ("r00", "r29", 30)
    assert first.low == first.median == first.high == step.points[0].value


def test_statistics_that_fail_cost_the_section_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, said = make_full_run(), list[str]()
    own = take_snapshot(run.plan, run.results, run.judgement)
    write_runs(tmp_path / "h", 5, matrix=own.matrix, machine=own.machine)

    def fail(_: Past) -> Trends:
        raise MachineError("a: one of its values is not finite")

    def ready(_: object, __: Snapshot) -> Past:
        return Past((), join_timings([]), 0, 0)

    monkeypatch.setattr(earlier, "judge_past", fail)
    monkeypatch.setattr(earlier, "read_until", ready)
    found = find_earlier(run, History(tmp_path / "h"), said.append)
    assert found.trends is None
    assert found.since is not None
    assert said == ["the page has no section on trends: a: one of its values is not finite"]


def make_session(number: int) -> Run:
    plan = make_plan(
        make_planned("base", baseline=True), make_planned("a"),
        run=f"run-{number}", created=f"2026-11-2{number}T10:00:00Z", machine={"class": "m"},
    )  # fmt: skip
    timings = (make_timing(session=f"s{number}"),)
    cells = [make_result(name, run=plan.run, timings=timings) for name in ("base", "a")]
    return make_run(plan, *cells)


def test_a_run_learns_its_trends_from_its_history(tmp_path: Path) -> None:
    runs = [make_session(number) for number in range(4)]
    record(tmp_path / "h", *(take_snapshot(run.plan, run.results, run.judgement) for run in runs[:3]))
    found = find_earlier(runs[3], History(tmp_path / "h"), pytest.fail)
    assert found.since is not None
    assert found.since.before.run == "run-2"
    assert found.trends is not None
    assert len(found.trends.timed) == 4
    assert [(each.cell, each.kind, each.points) for each in found.trends.trends] == [
        ("a", "steady", ())
    ]  # and nothing of the baseline: of one scenario alone nobody can tell a slow machine
    assert 'id="trends"' in render_html(runs[3], found)
