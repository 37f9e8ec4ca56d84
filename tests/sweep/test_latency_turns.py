from __future__ import annotations

import os
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from support.fake_cells import LIMITS, Lab, make_plan, plan_cell

from harness.records import ScenarioPlan
from harness.sweep import protocol
from harness.sweep.latency_turns import Core, count_rounds, count_rounds_to_decide, draw_core
from harness.sweep.limits import Options


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, options=Options(jobs=4, limits=LIMITS, latency=True))


BASE = plan_cell("base", baseline=True)


def read_turns(lab: Lab, run: str = "run-1") -> list[tuple[str, str, int, float, float]]:
    """Every measured round: process, scenario, number, start, end; in the order of time."""
    found = []
    for file in lab.run_folder(run).glob("cells/*/turns.txt"):
        for line in file.read_text().splitlines():
            scenario, number, start, end = line.split()
            found.append((file.parent.name, scenario, int(number), float(start), float(end)))
    return sorted(found, key=lambda turn: turn[3])


def test_turns_are_taken_one_at_a_time_and_interleaved(lab: Lab) -> None:
    lab.run(make_plan(BASE, plan_cell("good-1"), plan_cell("good-2"), scenarios=2, rounds=5))
    turns = read_turns(lab)
    assert len(turns) == 4 * 2 * 5
    assert all(first[4] <= second[3] for first, second in pairwise(turns))
    slices = [turns[at : at + 4] for at in range(0, len(turns), 4)]
    everybody = {"aa.base", "base", "good-1", "good-2"}
    assert [{turn[0] for turn in each} for each in slices] == [everybody] * 10
    assert [{turn[1:3] for turn in each} for each in slices] == [
        {(scenario, number)} for scenario in ("s0", "s1") for number in range(5)
    ]
    orders = {tuple(turn[0] for turn in each) for each in slices}
    assert len(orders) > 1, "the order of turns is shuffled"


def read_cores(lab: Lab) -> dict[str, set[str]]:
    """Where processes might run in their turns, and before each scenario: the cores as they saw them."""
    found: dict[str, set[str]] = {"turn": set(), "between": set()}
    for file in lab.run_folder().glob("cells/*/cores.txt"):
        for line in file.read_text().splitlines():
            when, _, cores = line.partition(" ")
            found[when].add(cores)
    return found


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system lets nobody choose a core")
def test_all_turns_are_taken_on_one_core_and_all_are_free_between(lab: Lab) -> None:
    usable = sorted(os.sched_getaffinity(0))
    lab.run(make_plan(BASE, plan_cell("good"), plan_cell("dying"), scenarios=2))
    assert read_cores(lab) in [{"turn": {str([core])}, "between": {str(usable)}} for core in usable]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system lets nobody choose a core")
def test_core_is_drawn_and_none_where_several_are_needed() -> None:
    usable = tuple(sorted(os.sched_getaffinity(0)))
    order = random.Random(1)  # noqa: S311 - the order is no secret
    drawn = {draw_core(order, 1) for _ in range(200)}
    assert drawn == {Core(number, usable) for number in usable}
    assert draw_core(order, 2) is None


def test_processes_of_several_threads_run_where_they_like(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    several = replace(lab.material, threads=2)
    monkeypatch.setattr(Lab, "material", property(lambda _: several))
    lab.run(make_plan(BASE, plan_cell("good"), scenarios=1))
    everywhere = {str(sorted(os.sched_getaffinity(0)))}
    assert read_cores(lab) == {"turn": everywhere, "between": everywhere}


def test_timings_carry_baseline_and_control_of_their_session(lab: Lab) -> None:
    swept = lab.run(make_plan(BASE, plan_cell("good"), scenarios=1))
    base, good = swept.results
    expected = {
        "scenario": "s0",
        "session": "run-1.1",
        "iterations": 5,  # 5 ms wanted, 1 ms a call
        "rounds": (0.25,) * 3,
        "baseline": (0.25,) * 3,
        "control": (0.5,) * 3,
    }
    assert [msgspec.structs.asdict(timing) for timing in good.timings] == [expected]
    assert base.timings == good.timings
    assert (lab.run_folder() / "cells/good/benchmark.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("cell", "status", "reason"),
    [
        ("dying", "crashed", "it exited with code 9 before it was finished (stage latency)"),
        (
            "sleeping",
            "timed-out",
            "round 1 of s0 (limit 2 s) did not end in time (limit reached in stage latency)",
        ),
    ],
)
def test_process_that_ends_drops_out_and_the_others_go_on(
    lab: Lab, cell: str, status: str, reason: str
) -> None:
    plan = make_plan(BASE, plan_cell(cell), plan_cell("good"), scenarios=2)
    swept = lab.run(plan, limits=replace(LIMITS, turn=2.0))
    dropped, good = swept.results[1:]
    assert (dropped.status, dropped.reason, dropped.timings) == (status, reason, ())
    assert [case.id for case in dropped.cases] == ["l0.one", "l0.two"]
    assert (good.status, [timing.scenario for timing in good.timings]) == ("ok", ["s0", "s1"])
    assert [len(timing.rounds) for timing in good.timings] == [3, 3]
    again = lab.run(msgspec.structs.replace(plan, run="run-2"), limits=replace(LIMITS, turn=2.0))
    assert again.reused == ("base", "good")
    assert sorted(lab.contracts()) == sorted(["base", cell, "good"])


def test_a_scenario_that_cannot_be_measured_is_reported(lab: Lab) -> None:
    untimed, good = lab.run(make_plan(plan_cell("untimed"), plan_cell("good"), scenarios=1)).results
    assert (untimed.status, untimed.untimed, untimed.timings) == ("ok", {"s0": "no such thing"}, ())
    assert [(timing.baseline, timing.control) for timing in good.timings] == [((), ())]


def test_baseline_that_cannot_measure_leaves_the_others_unpaired(lab: Lab) -> None:
    base = plan_cell("untimed", baseline=True)
    good = lab.run(make_plan(base, plan_cell("good"), scenarios=1)).results[1]
    assert [(timing.baseline, timing.control) for timing in good.timings] == [((), (0.5,) * 3)]


def test_crashed_cells_take_no_turns(lab: Lab) -> None:
    swept = lab.run(make_plan(BASE, plan_cell("exiting"), plan_cell("failing"), scenarios=1))
    assert [len(result.timings) for result in swept.results] == [1, 0, 1]


def test_baseline_that_crashes_leaves_no_pairs_and_nothing_to_reuse(lab: Lab) -> None:
    plan = make_plan(plan_cell("exiting", baseline=True), plan_cell("good"), scenarios=1)
    good = lab.run(plan).results[1]
    assert [(timing.baseline, timing.control) for timing in good.timings] == [((), ())]
    assert lab.run(msgspec.structs.replace(plan, run="run-2")).reused == ()


def test_a_lost_aa_arm_is_reported_and_its_timings_are_not_reused(lab: Lab) -> None:
    plan = make_plan(plan_cell("lonely", baseline=True), plan_cell("good"), scenarios=2)
    good = lab.run(plan).results[1]
    assert [(timing.scenario, len(timing.control)) for timing in good.timings] == [("s0", 3), ("s1", 0)]
    why = "it exited with code 9 before it was finished (stage latency)"
    notes = [each.note for each in lab.said if each.stage == "note"]
    assert notes == [f"aa.lonely crashed as the latency reference of the other cells: {why}"]
    assert lab.run(msgspec.structs.replace(plan, run="run-2")).reused == ()


def test_timings_are_reused_with_their_benchmark_file(lab: Lab) -> None:
    plan = make_plan(BASE, plan_cell("good"), scenarios=1)
    first = lab.run(plan)
    second = lab.run(msgspec.structs.replace(plan, run="run-2"))
    assert second.reused == ("base", "good")
    assert second.results == first.results
    assert (lab.run_folder("run-2") / "cells/good/benchmark.json").read_text() == "{}"
    assert read_turns(lab, "run-2") == []


def test_only_the_timings_that_lack_are_measured(lab: Lab) -> None:
    plan = make_plan(BASE, plan_cell("good-1"), scenarios=1)
    lab.run(plan, latency=False)
    assert sorted(lab.contracts()) == ["base", "good-1"]
    swept = lab.run(make_plan(BASE, plan_cell("good-1"), plan_cell("good-2"), run="run-2", scenarios=1))
    assert sorted(lab.contracts()) == ["base", "good-1", "good-2"]
    assert [len(result.timings) for result in swept.results] == [1, 1, 1]
    assert {turn[0] for turn in read_turns(lab, "run-2")} == {"aa.base", "base", "good-1", "good-2"}


def test_baseline_with_timings_stands_by_for_another_cell(lab: Lab) -> None:
    first = lab.run(make_plan(BASE, scenarios=1)).results[0]
    swept = lab.run(make_plan(BASE, plan_cell("good"), run="run-2", scenarios=1))
    assert (swept.reused, swept.results[0]) == (("base",), first)
    assert [timing.session for timing in swept.results[1].timings] == ["run-2.1"]
    assert {turn[0] for turn in read_turns(lab, "run-2")} == {"aa.base", "base", "good"}


def test_baseline_outside_the_selection_stands_by(lab: Lab) -> None:
    plan = msgspec.structs.replace(
        make_plan(plan_cell("good"), scenarios=1), baseline="base", baseline_cell=BASE
    )
    swept = lab.run(plan)
    assert [result.cell for result in swept.results] == ["good"]
    assert [(len(timing.baseline), len(timing.control)) for timing in swept.results[0].timings] == [(3, 3)]
    assert lab.contracts() == ["good"]


def test_another_baseline_means_other_timings(lab: Lab) -> None:
    lab.run(make_plan(BASE, plan_cell("good"), scenarios=1))
    other = plan_cell("base-2", baseline=True)
    swept = lab.run(make_plan(other, plan_cell("good"), run="run-2", scenarios=1))
    assert swept.reused == ()
    assert sorted(lab.contracts()) == ["base", "base-2", "good"]
    assert [timing.session for timing in swept.results[1].timings] == ["run-2.1"]


def test_without_memory_for_all_there_are_several_groups(lab: Lab) -> None:
    """A reserve larger than any machine: every group holds one cell beside baseline and control."""
    swept = lab.run(make_plan(BASE, plan_cell("good-1"), plan_cell("good-2"), scenarios=1), reserve=2**60)
    sessions = [[timing.session for timing in result.timings] for result in swept.results]
    assert sessions == [["run-1.1"], ["run-1.2"], ["run-1.3"]]
    assert [[len(timing.control) for timing in result.timings] for result in swept.results] == [[3], [3], [3]]
    assert sorted(lab.contracts()) == ["base", "good-1", "good-2"]


@pytest.mark.parametrize(
    ("seconds", "rounds", "iterations", "warm_up"),
    [
        (1e-5, 15, 500, 1),  # short calls: repeated until a round lasts about 5 ms
        (0.0, 15, 10_000, 1),  # too short to be measured
        (0.004, 15, 1, 3),  # a cold start would be a third of it
        (0.0066, 15, 1, 3),
        (0.0067, 15, 1, 2),  # nothing is cold any more after 20 ms
        (0.0199, 15, 1, 1),
        (0.0201, 15, 1, 0),
        (0.05, 15, 1, 0),  # 15 rounds of 50 ms are within the budget
        (0.2, 5, 1, 0),  # a long call gets fewer rounds
        (3.0, 5, 1, 0),  # but never less than five
    ],
)
def test_long_calls_get_fewer_rounds_and_no_warm_up(
    seconds: float, rounds: int, iterations: int, warm_up: int
) -> None:
    scenario = ScenarioPlan(id="s", rounds=15, target_seconds=0.005, budget_seconds=1.0)
    begin = protocol.Begin(rounds=rounds, iterations=iterations, warm_up=warm_up)
    assert count_rounds(scenario, seconds) == begin


@pytest.mark.parametrize(
    ("seconds", "rounds", "iterations"),
    [
        (1e-5, 50, 50),
        (0.004, 30, 1),  # eight times as long as it should be: half as many as the budget has of those
        (0.0135, 20, 1),
        (4.0, 5, 1),  # never less than five
    ],
)
def test_in_a_gate_rounds_fall_with_the_cube_root_of_their_length(
    seconds: float, rounds: int, iterations: int
) -> None:
    scenario = ScenarioPlan(id="s", rounds=50, target_seconds=5e-4, budget_seconds=0.03)
    found = count_rounds_to_decide(scenario, seconds)
    assert (found.rounds, found.iterations) == (rounds, iterations)
