"""What the harness costs, with a made-up clock: the table, the ratios, and a part that fails."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from unit.runs import make_plan, make_planned, make_result, make_small_run

from harness.errors import MachineError
from harness.perf import Bench, Costs, Figure, measure, open_scratch, render_costs
from harness.perf.figures import compare
from harness.perf.rendering import main, multiply
from harness.records import CellResult
from harness.report.jsonfile import render_json

ENVIRONMENT = "2" * 20


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


Cost = Callable[[Sequence[str]], float]


@dataclass(frozen=True)
class FakeBench(Bench):
    """Runs nothing: what a command costs is made up, and it leaves what a sweep would leave."""

    cost: Cost = lambda _: 1.0
    result: CellResult = field(default_factory=lambda: make_result("a", seconds={"environment": 2.0}))
    ran: list[str] = field(default_factory=list)

    async def seconds(self, argv: Sequence[str], *, env: dict[str, str] | None = None) -> float:
        assert (env is not None) is (name_of(argv) == "by hand")  # nothing of ours reaches the suite
        self.ran.append(name_of(argv))
        spent = self.cost(argv)
        if "sweep" in argv:
            self.leave_run(f"run-{len(self.ran)}")
        return spent

    async def tell(self, argv: Sequence[str]) -> dict[str, float]:
        self.cost(argv)
        told = ("reports/openvino/results.json.gz", "200", "100")
        assert argv[1:] == ("-m", "harness.perf.rendering", *told)
        return {"history": 4.0, "page": 2.0, "terminal": 0.5, "bytes": 3_000_000.0}

    def leave_run(self, name: str) -> None:
        folder = self.scratch / "reports" / "runs" / name
        cell = folder / "cells" / "a"
        cell.mkdir(parents=True)
        (folder / "plan.json").write_bytes(msgspec.json.encode(make_plan(make_planned("a"))))
        (cell / "result.json").write_bytes(msgspec.json.encode(self.result))
        (cell / "spec.json").write_text('{"cell": "a", "workdir": "gone"}', encoding="utf-8")
        latest = folder.with_name("latest")
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder)


def name_of(argv: Sequence[str]) -> str:
    if "harness.cell.start" in argv:
        return "by hand"
    if "harness.perf.rendering" in argv:
        return "rendering"
    if "tool" in argv:
        return "plain"
    return " ".join(["sweep", *(word for word in ("--only", "--rerun", "--checks") if word in argv)])


def make_bench(folder: Path, **changes: object) -> FakeBench:
    values = {"matrix": "m", "cell": "a", "several": ("a", "b"), "scratch": folder, "say": lambda _: None}
    return FakeBench(**(values | changes))  # type: ignore[arg-type] # as the test wishes


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


def test_the_environment_is_the_one_of_the_cell(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    with pytest.raises(MachineError, match="nothing to measure there"):
        bench.find_environment()
    bench.leave_run("run-1")
    assert bench.find_environment() == tmp_path / "store" / "envs" / ENVIRONMENT
    with pytest.raises(MachineError, match="b is not in the plan"):
        make_bench(tmp_path, cell="b").find_environment()


def test_the_copy_of_a_spec_has_a_folder_of_its_own(tmp_path: Path) -> None:
    costs_of(make_bench(tmp_path))
    specs = sorted(tmp_path.glob("by-hand-*/spec.json"))
    said = [json.loads(spec.read_text(encoding="utf-8")) for spec in specs]
    assert said == [{"cell": "a", "workdir": str(spec.parent)} for spec in specs]
    assert len(specs) == 2


def make_command(code: int) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; print('some words'); sys.exit({code})")


@pytest.mark.parametrize("code", [0, 1, 3, 4])
def test_a_verdict_is_a_result_like_any_other(tmp_path: Path, code: int) -> None:
    assert asyncio.run(Bench.seconds(make_bench(tmp_path), make_command(code))) > 0


@pytest.mark.parametrize("code", [2, 5])
def test_a_broken_harness_is_not(tmp_path: Path, code: int) -> None:
    with pytest.raises(MachineError, match=rf"exit {code}\nsome words"):
        asyncio.run(Bench.seconds(make_bench(tmp_path), make_command(code)))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Path]:
    with open_scratch(tmp_path / "kept" / "here") as scratch:
        yield scratch


def test_a_scratch_folder_is_kept_only_where_that_is_asked_for(opened: Path) -> None:
    assert opened.is_dir()
    with open_scratch(None) as scratch:
        assert scratch.is_dir()
    assert not scratch.exists()


def test_a_large_sweep_has_the_cells_of_a_small_one_several_times() -> None:
    small = make_small_run()
    large = multiply(small, 5)
    assert [planned.cell.id for planned in large.plan.cells] == [
        "copy-1_base",
        "copy-1_new",
        "copy-2_base",
        "copy-2_new",
        "copy-3_base",
    ]
    assert [planned.cell.baseline for planned in large.plan.cells] == [True, False, False, False, False]
    assert large.plan.baseline == "copy-1_base"
    assert [cell.status for cell in large.judgement.cells] == ["ok", "failed", "ok", "failed", "ok"]
    assert len(large.judgement.findings) == 5 * 4


def test_rendering_tells_what_it_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json.gz"
    path.write_bytes(gzip.compress(render_json(make_small_run()).encode()))
    main([str(path), "3", "5"])
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"history", "page", "terminal", "bytes"}
    assert all(value > 0 for value in told.values())
    path.write_bytes(b"no gzip")
    with pytest.raises(MachineError, match="no published sweep to render"):
        main([str(path), "3", "5"])


def test_what_a_command_tells_is_read(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    assert asyncio.run(Bench.tell(bench, (sys.executable, "-c", "print('{\"a\": 1.5}')"))) == {"a": 1.5}
    for script in ("print('words')", "raise SystemExit(3)"):
        with pytest.raises(MachineError):
            asyncio.run(Bench.tell(bench, (sys.executable, "-c", script)))
