"""What the harness costs, with a made-up clock: the figures, the ratios, what is kept, a part that fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.fake_bench import Cost, FakeBench, make_bench, name_of
from support.runs import make_result

from harness.errors import MachineError
from perf import __main__ as command
from perf import newcomer, scale
from perf.figures import Figure, compare, render_figures
from perf.parts import PARTS, measure_part


def test_a_figure_is_a_line() -> None:
    figures = (Figure("a warm environment", "s", (3.0, 1.0, 2.5), "at most 5"), Figure("busy", "%", (87.5,)))
    assert [" ".join(line.split()) for line in render_figures(figures).splitlines()] == [
        "a warm environment 2.50 s (1.00 to 3.00, n = 3); at most 5",
        "busy 87.50 % (87.50 to 87.50, n = 1)",
    ]


def test_ratios_are_taken_round_by_round() -> None:
    assert compare("a / b", (3.0, 8.0), (2.0, 4.0), "at most 2") == Figure(
        "a / b", "x", (1.5, 2.0), "at most 2"
    )
    assert compare("a / b", (3.0,), (2.0, 4.0)) == Figure("a / b", "x", (1.5,))  # fewer rounds of one
    assert Figure("a", "s", (1.0, 5.0, 2.0, 3.0)).median == 2.5


RENDERING = (
    Figure("200 cells: asking a history of 100 runs", "s", (4.0, 4.0), "at most 1"),
    Figure("200 cells: the page", "s", (2.0, 2.0), "at most 3"),
    Figure("200 cells: the size of the page", "MB", (3.0, 3.0), "at most 5"),
    Figure("200 cells: the terminal report", "s", (0.5, 0.5), "at most 1"),
    Figure("1,000 cells: the page", "s", (10.0, 10.0), "at most 10"),
    Figure("1,000 cells: the size of the page", "MB", (15.0, 15.0), "at most 10"),
)
SPENT = {
    "by hand": 10.0,
    "venv": 9.0,
    "pip": 30.0,
    "init": 60.0,
    "gate --no-latency": 120.0,
    "gate": 600.0,
    "plain": 90.0,
    "lock": 50.0,
    "sweep --only --rerun": 11.0,
    "sweep both": 21.0,
    "sweep --rerun": 500.0,
    "sweep": 3.0,
}


def test_every_part_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newcomer, "measure_disk", lambda _: 2.5)
    monkeypatch.setattr(scale, "read_measured", lambda: [10.0])
    monkeypatch.setattr(scale, "CELLS", (101,))
    monkeypatch.setattr(scale, "WORKERS", (10,))
    bench = make_bench(tmp_path, cost=lambda argv: SPENT.get(name_of(argv), 1.0))
    found = {name: asyncio.run(measure_part(name, bench, 2)) for name in PARTS}
    busy = found["cores"][0]
    assert busy.values[0] >= 0
    assert found == {
        "pages": RENDERING,
        "environment": (Figure("a warm environment", "s", (2.0, 2.0), "at most 5"),),
        "overhead": (
            Figure("one cell through the harness", "s", (11.0, 11.0)),
            Figure("its suite by hand", "s", (10.0, 10.0)),
            Figure("through the harness / by hand", "x", (1.1, 1.1), "at most 1.05"),
        ),
        "further": (
            Figure("each further cell through the harness", "s", (10.0, 10.0)),
            Figure("its suite by hand", "s", (10.0, 10.0)),
            Figure("a further cell / by hand", "x", (1.0, 1.0), "at most 1.05"),
        ),
        "normalizers": (
            Figure("numpy 2.4.6 float16 32 x 384: stable / torch", "x", (1.25, 1.5), "at most 1.5"),
        )
        * 2,
        "isolation": (
            Figure("start of a process, isolated", "ms", (12.0,)),
            Figure("start of a process, plain", "ms", (8.0,)),
            Figure("start: isolated / plain", "x", (1.5,)),
            Figure("embed.1: isolated / plain", "x", (1.01,), "1"),
        ),
        "cores": (Figure("cores busy during the contract phase", "%", busy.values),),
        "plain": (
            Figure("a warm environment by nox, virtualenv and pip", "s", (90.0, 90.0)),
            Figure("nox, virtualenv and pip / harness", "x", (45.0, 45.0)),
        ),
        "covering": (
            Figure("cells of a covering array of 9,000 rows", "", (39.0, 39.0), "at most 45"),
            Figure("making it", "s", (1.5, 1.5), "at most 5"),
            Figure("the locks of 45 cells, cold", "s", (50.0,), "at most 60"),
        ),
        "scale": (
            Figure("101 cells, 10 workers", "s", (110.0, 110.0), "at least 101"),
            Figure("101 cells, 10 workers: to the bound", "x", (110 / 101,) * 2),
        ),
        "sweep": (
            Figure("the whole sweep", "s", (500.0,), "at most 720"),
            Figure("the sweep with nothing changed", "s", (3.0, 3.0), "at most 5"),
        ),
        "newcomer": (
            Figure("pip install", "s", (30.0,)),
            Figure("harness init --yes", "s", (60.0,)),
            Figure("harness gate numpy==2.4.6 --no-latency", "s", (120.0,)),
            Figure("harness gate numpy==2.4.6, latency and memory", "s", (600.0,)),
            Figure("three commands to the first answer", "s", (210.0,), "at most 300"),
            Figure("disk of harness, environments, model and results", "GB", (2.5,)),
        ),
    }
    assert bench.ran == [
        *("sweep --only", "sweep --only --checks", "sweep --only --checks"),
        *("sweep --only --rerun", "by hand") * 2,
        "sweep --only --checks",
        *("sweep --only --rerun", "sweep both", "by hand") * 2,
        "sweep --checks",
        *("sweep --only --checks", "sweep --only --rerun"),
        *("sweep --only --checks", "plain") * 2,
        "lock",
        *("sweep --rerun", "sweep", "sweep"),
        *("venv", "pip", "init", "gate --no-latency", "gate"),
    ]


def failing(*names: str) -> Cost:
    def cost(argv: Sequence[str]) -> float:
        if name_of(argv) in names:
            raise MachineError("it could not")
        return 1.0

    return cost


@pytest.fixture(name="ask")
def ask_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskPerf:
    return AskPerf(tmp_path, monkeypatch)


class AskPerf:
    """The command over a bench that runs nothing."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch, self.calls = folder, patch, 0
        self.bench: FakeBench = make_bench(folder)

    def __call__(self, *arguments: str, cost: Cost = lambda _: 1.0) -> Result:
        self.calls += 1
        self.bench = make_bench(self.folder, cost=cost)
        self.bench.ran.extend(["before"] * 100 * self.calls)  # other names for its runs
        self.patch.setattr(command, "make_bench", lambda *_: self.bench)
        return CliRunner().invoke(
            command.main, [*arguments, "--folder", str(self.folder)], standalone_mode=False
        )


def names_of(found: Result) -> list[str]:
    return [line.split("  ")[0] for line in found.stdout.splitlines()]


USUAL = [*(each.name for each in RENDERING), "a warm environment"]
OVERHEAD = ["one cell through the harness", "its suite by hand", "through the harness / by hand"]


def test_the_usual_parts_are_printed_and_nothing_is_kept_of_what_is_over(ask: AskPerf) -> None:
    found = ask()
    assert (found.return_value, names_of(found)) == (0, [*USUAL, *OVERHEAD])
    assert not (ask.folder / command.KEPT).exists()


def test_a_part_that_fails_costs_no_other_and_the_next_call_goes_on(ask: AskPerf) -> None:
    found = ask(cost=failing("by hand"))
    assert found.return_value == 1
    assert names_of(found) == [*USUAL, "overhead: not measured: it could not"]
    again = ask()
    assert (again.return_value, names_of(again)) == (0, [*USUAL, *OVERHEAD])
    assert "sweep --only --checks" not in ask.bench.ran  # the environment was measured before


def test_another_question_begins_anew(ask: AskPerf) -> None:
    ask(cost=failing("by hand"))
    ask("--rounds", "1", cost=failing("by hand"))
    assert "sweep --only --checks" in ask.bench.ran
    ask("--rounds", "1", "--fresh")
    assert "sweep --only --checks" in ask.bench.ran


def test_no_part_begins_after_the_budget(ask: AskPerf) -> None:
    found = ask("--budget", "0.000001")
    assert found.return_value == 0
    assert names_of(found) == [
        f"{name}: not measured yet, the budget is spent; the same command goes on"
        for name in ("pages", "environment", "overhead")
    ]


def test_parts_are_named(ask: AskPerf) -> None:
    assert names_of(ask("cores")) == ["cores busy during the contract phase"]
    assert "'nope' is no part; there are: pages, environment" in str(ask("nope").exception)


def test_a_cell_that_dies_has_no_cost(tmp_path: Path) -> None:
    died = make_result("a", status="crashed", reason="was killed", seconds={"environment": 2.0}, cases=())
    with pytest.raises(MachineError, match=r"^a is crashed: was killed$"):
        asyncio.run(measure_part("environment", make_bench(tmp_path, result=died), 1))


def test_the_copy_of_a_spec_has_a_folder_of_its_own(tmp_path: Path) -> None:
    asyncio.run(measure_part("overhead", make_bench(tmp_path), 2))
    specs = sorted(tmp_path.glob("by-hand-*/spec.json"))
    said = [json.loads(spec.read_text(encoding="utf-8")) for spec in specs]
    assert said == [{"cell": "a", "workdir": str(spec.parent)} for spec in specs]
    assert len(specs) == 2


def test_a_file_of_two_names_takes_its_disk_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1_000_000))
    once = newcomer.measure_disk(tmp_path)
    (tmp_path / "link").hardlink_to(tmp_path / "file")
    assert newcomer.measure_disk(tmp_path) == once >= 1e-3
