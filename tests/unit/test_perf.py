"""What the harness costs, with a made-up clock: the table, the ratios, and a part that fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from unit.fake_bench import Cost, FakeBench, make_bench, name_of
from unit.runs import make_result

from harness.errors import MachineError
from harness.perf import Costs, Figure, measure, render_costs
from harness.perf.figures import compare


def test_table() -> None:
    figures = (Figure("a warm environment", "s", (3.0, 1.0, 2.5), "at most 5"), Figure("busy", "%", (87.5,)))
    assert [line.rstrip() for line in render_costs(Costs(figures)).splitlines()] == [
        "cost                 median      min      max  n  goal",
        "a warm environment   2.50 s   1.00 s   3.00 s  3  at most 5",
        "busy                87.50 %  87.50 %  87.50 %  1",
    ]


def test_what_failed_stands_below_the_table() -> None:
    said = render_costs(Costs((Figure("busy", "%", (87.5,)),), ("the whole sweep: no disk", "another: no")))
    assert said.splitlines()[2:] == [
        "",
        "not measured: the whole sweep: no disk",
        "",
        "not measured: another: no",
    ]


def test_ratios_are_taken_round_by_round() -> None:
    assert compare("a / b", (3.0, 8.0), (2.0, 4.0), "at most 2") == Figure(
        "a / b", "x", (1.5, 2.0), "at most 2"
    )
    assert compare("a / b", (3.0,), (2.0, 4.0)) == Figure("a / b", "x", (1.5,))  # fewer plain rounds
    assert Figure("a", "s", (1.0, 5.0, 2.0, 3.0)).median == 2.5


def costs_of(bench: FakeBench, *, plain_rounds: int = 1, whole: bool = False) -> Costs:
    return asyncio.run(measure(bench, rounds=2, plain_rounds=plain_rounds, whole=whole))


RENDERING = (
    Figure("asking a history of 100 runs", "s", (4.0, 4.0)),
    Figure("the page of 200 cells", "s", (2.0, 2.0), "at most 3"),
    Figure("the size of it", "MB", (3.0, 3.0), "at most 5"),
    Figure("the terminal report of 200 cells", "s", (0.5, 0.5), "at most 1"),
)


def test_every_figure_in_its_order(tmp_path: Path) -> None:
    spent = {
        "by hand": 10.0,
        "plain": 90.0,
        "sweep --only --rerun": 11.0,
        "sweep --rerun": 500.0,
        "sweep": 3.0,
    }
    bench = make_bench(tmp_path, cost=lambda argv: spent.get(name_of(argv), 1.0))
    costs = costs_of(bench, whole=True)
    busy = costs.figures[6]
    assert costs.figures == (
        Figure("a warm environment", "s", (2.0, 2.0), "at most 5"),
        Figure("the same by nox, virtualenv and pip", "s", (90.0,)),
        Figure("plain way / harness", "x", (45.0,)),
        Figure("one cell through the harness", "s", (11.0, 11.0)),
        Figure("its suite by hand", "s", (10.0, 10.0)),
        Figure("through the harness / by hand", "x", (1.1, 1.1), "at most 1.10"),
        Figure("cores busy during the contract phase", "%", busy.values),
        *RENDERING,
        Figure("the whole sweep", "s", (500.0,), "at most 720"),
        Figure("the sweep with nothing changed", "s", (3.0, 3.0), "at most 5"),
    )
    assert costs.failures == ()
    assert [value >= 0 for value in busy.values] == [True]
    assert bench.ran == [
        "sweep --only",
        *("sweep --only", "plain", "sweep --only"),
        *("sweep --only --rerun", "by hand") * 2,
        *("sweep --only --checks", "sweep --only --rerun"),
        *("sweep --rerun", "sweep", "sweep"),
    ]


def test_without_the_plain_way_and_the_whole_sweep(tmp_path: Path) -> None:
    names = [figure.name for figure in costs_of(make_bench(tmp_path), plain_rounds=0).figures]
    assert names == [
        "a warm environment",
        "one cell through the harness",
        "its suite by hand",
        "through the harness / by hand",
        "cores busy during the contract phase",
        *(figure.name for figure in RENDERING),
    ]


def failing(*names: str) -> Cost:
    def cost(argv: Sequence[str]) -> float:
        if name_of(argv) in names:
            raise MachineError("it could not")
        return 1.0

    return cost


def test_a_part_that_fails_costs_nobody_the_others(tmp_path: Path) -> None:
    costs = costs_of(make_bench(tmp_path, cost=failing("plain", "sweep --only --checks")))
    assert [figure.name for figure in costs.figures] == [
        "one cell through the harness",
        "its suite by hand",
        "through the harness / by hand",
        *(figure.name for figure in RENDERING),
    ]
    assert costs.failures == ("a warm environment: it could not", "how busy the cores are: it could not")


def test_a_cell_that_dies_has_no_cost(tmp_path: Path) -> None:
    died = make_result("a", status="crashed", reason="was killed", seconds={"environment": 2.0}, cases=())
    costs = costs_of(make_bench(tmp_path, result=died))
    assert costs.failures == ("a warm environment: a is crashed: was killed",)


def test_a_harness_that_cannot_run_the_cell_is_the_end(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="it could not"):
        costs_of(make_bench(tmp_path, cost=failing("sweep --only")))


def test_a_scratch_folder_that_was_kept_can_be_used_again(tmp_path: Path) -> None:
    assert costs_of(make_bench(tmp_path)).failures == ()
    again = make_bench(tmp_path)
    again.ran.extend(["before"] * 100)  # other names for its runs
    assert costs_of(again).failures == ()


def test_the_copy_of_a_spec_has_a_folder_of_its_own(tmp_path: Path) -> None:
    costs_of(make_bench(tmp_path))
    specs = sorted(tmp_path.glob("by-hand-*/spec.json"))
    said = [json.loads(spec.read_text(encoding="utf-8")) for spec in specs]
    assert said == [{"cell": "a", "workdir": str(spec.parent)} for spec in specs]
    assert len(specs) == 2
