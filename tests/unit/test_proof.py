"""The proof of the gate's decision: it counts what happened, and can go red."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from harness.errors import UsageError
from harness.gate_records import Block, Interval, Quantity, Speed
from harness.judge.sampling import next_look
from harness.plan.quantities import plan_quantities
from harness.proof import __main__ as command
from harness.proof import real, simulation
from harness.proof.goals import Row, judge_pools, judge_real, judge_simulated
from harness.proof.noise import KINDS, make_pool
from harness.proof.planted import MODULE, RELEASES, make_matrix, write_wheel
from harness.proof.real import RealGate, make_row, read_rows, run_gates
from harness.proof.simulation import Method, Setting, Simulated, simulate
from harness.proof.stages import find_measured
from harness.proof.table import render_rows
from harness.speed import looks
from harness.speed.looks import Verdicts
from harness.statistics.__main__ import Request, estimate

GATES = 40


@pytest.fixture(scope="module")
def quantities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Quantity, ...]:
    matrix = make_matrix(tmp_path_factory.mktemp("proof"))
    return tuple(each for each in plan_quantities(matrix) if each.group == "normalizer")


@pytest.fixture(autouse=True)
def statistics_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers as the process does, without the second that it takes to start; test_statistics holds that."""

    async def answer(
        samples: dict[str, tuple[float, ...]],
        confidence: float,
        *,
        method: Method = "signed-rank",
        **_: object,
    ) -> dict[str, Interval]:
        return estimate(Request(samples, confidence, method)).intervals

    monkeypatch.setattr(simulation, "estimate", answer)
    monkeypatch.setattr(looks, "estimate", answer)


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def run(setting: Setting, pool: Sequence[Block], gates: int = GATES) -> list[Simulated]:
    return asyncio.run(simulate(setting, {"normalizer": pool}, gates, seed=1))


@pytest.mark.parametrize("kind", KINDS)
def test_identical_environments_do_not_regress_whatever_the_noise(
    quantities: tuple[Quantity, ...], kind: str
) -> None:
    setting = Setting(quantities, seconds=60)
    verdict = judge_simulated(0, setting, run(setting, make_pool(kind, quantities, 60, 1)))[0]
    assert (verdict.count, verdict.gates, verdict.holds) == (0, GATES, True), verdict


@pytest.mark.parametrize("percent", [10, 20])
def test_a_planted_slow_down_is_found(quantities: tuple[Quantity, ...], percent: int) -> None:
    setting = Setting(quantities, slower=1 + percent / 100)
    pool = make_pool("normal", quantities, 60, 1)
    verdict, in_time = judge_simulated(percent, setting, run(setting, pool))
    assert (verdict.count, verdict.holds) == (GATES, True), verdict
    assert in_time.count == GATES, in_time


def test_a_slow_down_that_is_too_small_to_be_found_misses_the_goal(quantities: tuple[Quantity, ...]) -> None:
    setting = Setting(quantities, slower=1.02, seconds=60)
    verdict, _ = judge_simulated(10, setting, run(setting, make_pool("normal", quantities, 60, 1)))
    assert (verdict.holds, verdict.goal) == (False, "at least 38")


def test_arms_that_are_not_alike_are_seen(quantities: tuple[Quantity, ...]) -> None:
    """A decision that called noise a regression would show: identical gates that are not miss the goal."""
    setting = Setting(quantities, slower=1.2)
    verdict = judge_simulated(0, setting, run(setting, make_pool("normal", quantities, 60, 1)))[0]
    assert (verdict.holds, verdict.goal) == (False, "at most 0")


def test_identical_environments_pass_where_there_is_time(quantities: tuple[Quantity, ...]) -> None:
    pool = make_pool("normal", quantities, 60, 1)
    _, passed, _ = judge_simulated(0, Setting(quantities), run(Setting(quantities), pool))
    assert (passed.count, passed.goal, passed.holds) == (GATES, "at least 38", True), passed
    short = Setting(quantities, seconds=30)
    _, passed, in_time = judge_simulated(0, short, run(short, pool))
    assert (passed.count, passed.holds, in_time.count) == (0, False, 0)
    assert passed.note.endswith(" and 5 more")
    assert " undecided in " in passed.note


def test_a_gate_without_a_block_holds_nothing(quantities: tuple[Quantity, ...]) -> None:
    """A thousand gates that measured nothing are never wrong, and no proof."""
    setting = Setting(quantities)
    gates = asyncio.run(simulate(setting, {}, 1000, seed=1))
    assert held(judge_simulated(0, setting, gates)) == [True, False, None]
    assert held(judge_simulated(10, setting, gates)) == [False, None]
    assert held(judge_simulated(0, setting, [])) == [False, False, None]
    assert held(judge_pools(quantities, quantities, {})) == [False, None]
    assert held(judge_pools(quantities, quantities, {"normalizer": 3})) == [True, None]


def test_a_quantity_that_late_blocks_lack_is_left_out_and_told(quantities: tuple[Quantity, ...]) -> None:
    pool = make_pool("normal", quantities, 3, 1)
    lost = quantities[4]
    late = {name: value for name, value in pool[2].again.items() if name != lost.id}
    pools = {"normalizer": [*pool[:2], msgspec.structs.replace(pool[2], again=late)]}
    used = find_measured(quantities, pools)
    assert used == (*quantities[:4], *quantities[5:])
    *_, row = judge_pools(quantities, used, {"normalizer": 3})
    assert (row.count, row.gates, row.note) == (8, 9, f"left out, as some blocks lack them: {lost.id}")
    assert find_measured(quantities, {}) == quantities


def test_the_same_seed_gives_the_same_gates(quantities: tuple[Quantity, ...]) -> None:
    setting = Setting(quantities, seconds=60)
    pool = make_pool("heavy tails", quantities, 60, 1)
    first, again = (run(setting, pool, gates=3) for _ in range(2))
    assert [gate.decided for gate in first] == [gate.decided for gate in again]
    assert len({str(gate.decided) for gate in first}) == 3


def test_a_gate_is_cut_off_by_its_time(quantities: tuple[Quantity, ...]) -> None:
    few = run(Setting(quantities, seconds=20), make_pool("normal", quantities, 60, 1), gates=2)
    assert [(len(gate.draws["normalizer"]), gate.decided) for gate in few] == [(10, {}), (10, {})]


# --- real gates -----------------------------------------------------------------------------


def row(
    percent: int = 0,
    number: int = 1,
    verdict: str = "pass",
    seconds: float = 50.0,
    embedding: str = "passed",
) -> RealGate:
    outcome = {"pass": "passed", "inconclusive": "undecided"}.get(verdict, verdict)
    return RealGate(
        percent=percent,
        number=number,
        verdict=verdict,  # type: ignore[arg-type] # one of the words of a verdict
        sentence="s",
        outcomes={
            "normalize.subject.float32.1": outcome,
            "memory.normalizer": "passed",
            "embed.openvino.float32.1": embedding,
            "memory.embedding": embedding,
        },
        blocks={"normalizer": 20, "embedding": 14},
        seconds={"normalizer": seconds, "embedding": 200.0},
        spent=seconds + 200,
    )


WITHOUT_EMBEDDING = msgspec.structs.replace(
    row(embedding="unmeasured"),
    verdict="inconclusive",
    blocks={"normalizer": 20},
    seconds={"normalizer": 50.0},
)
"""A gate in which the model could not be converted."""


def held(rows: Sequence[Row]) -> list[bool | None]:
    return [each.holds for each in rows]


@pytest.mark.parametrize(
    ("percent", "gates", "holds"),
    [
        (0, [row()] * 20, [True, True, True, True, None]),
        (0, [row()] * 19 + [row(verdict="regressed")], [False, True, True, True, None]),
        (0, [row()] * 18 + [row(verdict="inconclusive")] * 2, [True, False, False, True, None]),
        (0, [row()] * 18 + [row(seconds=121)] * 2, [True, True, False, True, None]),
        (0, [row()] * 19 + [row(seconds=121)], [True, True, True, True, None]),
        (0, [row(verdict="inconclusive", embedding="unmeasured")] * 20, [True, False, False, False, None]),
        (0, [WITHOUT_EMBEDDING] * 20, [True, False, True, False, None]),
        (0, [], [False, False, False, False]),
        (10, [row(verdict="regressed")] * 19 + [row()], [True, None, None]),
        (10, [row(verdict="regressed")] * 18 + [row()] * 2, [False, None, None]),
        (20, [row(verdict="regressed")] * 20, [True, None, None]),
        (20, [row(verdict="regressed")] * 19 + [row(verdict="inconclusive")], [False, None, None]),
        (20, [], [False, None]),
    ],
)
def test_a_goal_that_is_missed_is_seen(percent: int, gates: list[RealGate], holds: list[bool | None]) -> None:
    assert held(judge_real(percent, gates)) == holds


def test_the_table_tells_what_was_missed() -> None:
    found = render_rows(judge_real(20, [row(20, verdict="regressed"), row(20)]))
    line = " ".join(found.splitlines()[1].split())
    assert line == "real, 20% slower: regressed 1 of 2 at least 2 MISSED 1 pass, 1 regressed"
    assert " ".join(found.splitlines()[-1].split()) == "seconds of each 2 of 2 250, 250"


@pytest.mark.parametrize(
    ("rows", "code"),
    [([], 1), ([Row("a", 1, 1)], 0), ([Row("a", 1, 1), Row("b", 0, 1, "at least 1", holds=False)], 1)],
)
def test_an_empty_table_is_no_proof(
    rows: list[Row],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def found(*_: object) -> list[Row]:
        return rows

    monkeypatch.setattr(command, "prove", found)
    asked = ["--gates", "0", "--folder", str(tmp_path)]
    assert command.main.main(asked, standalone_mode=False) == code
    said = capsys.readouterr().out
    assert "Simulated gates draw anew which process of a recorded block is which arm" in said
    assert "judge the normalizer alone" in said


def test_real_gates_go_on_where_they_were_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    async def gate(_world: object, place: Path, which: tuple[int, int], *_: object) -> RealGate:
        assert is_empty(place)
        ran.append(place.name)
        (place / "blocks.jsonl").write_text("")
        if len(ran) == 3:
            raise KeyboardInterrupt
        return row(*which)

    async def run_all() -> tuple[RealGate, ...]:
        return await run_gates(None, tmp_path, {0: 2, 20: 1}, 600.0, lambda _: None)  # type: ignore[arg-type] # the gate is a double and looks at no world

    monkeypatch.setattr(real, "_run_gate", gate)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(run_all())
    assert [each.percent for each in read_rows(tmp_path)] == [0, 20]
    with (tmp_path / real.ROWS).open("ab") as file:
        file.write(b'{"percent":')  # cut off while it was written
    assert [(each.percent, each.number) for each in asyncio.run(run_all())] == [(0, 1), (20, 1), (0, 2)]
    assert ran == ["gate-0-1", "gate-20-1", "gate-0-2", "gate-0-2"]
    assert len(read_rows(tmp_path)) == 3


def test_rows_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / real.ROWS).write_text('{"percent": 1}\n')
    with pytest.raises(UsageError, match=r"begin anew with --fresh"):
        read_rows(tmp_path)


def test_looks_and_void_blocks_are_charged_to_every_group(quantities: tuple[Quantity, ...]) -> None:
    blocks = tuple(make_pool("normal", quantities, 3, 1))
    speed = asyncio.run(_speed_of(quantities, blocks))
    found = make_row(0, 1, msgspec.structs.replace(speed, spent=10.0), blocks)
    assert (found.blocks, found.seconds) == ({"normalizer": 3}, {"normalizer": 10.0})
    assert (found.verdict, found.is_decided("normalizer")) == ("inconclusive", False)
    assert not found.is_decided("embedding")


async def _speed_of(quantities: tuple[Quantity, ...], blocks: tuple[Block, ...]) -> Speed:
    verdicts = Verdicts(quantities)
    await verdicts.look("normalizer", blocks, next_look(0))
    return verdicts.sum_up(spent=6.0, budget=60.0)


# --- what is planted ------------------------------------------------------------------------


def test_the_planted_wheels_differ_in_their_wait_alone(tmp_path: Path) -> None:
    texts = {}
    for percent, version in RELEASES.items():
        source = MODULE.format(percent=percent, factor=1 + percent / 100)
        wheel = write_wheel(tmp_path, "planted-speed", version, {"planted_speed.py": source})
        assert (
            wheel.read_bytes()
            == write_wheel(tmp_path, "planted-speed", version, {"planted_speed.py": source}).read_bytes()
        )
        with zipfile.ZipFile(wheel) as archive:
            texts[percent] = archive.read("planted_speed.py").decode().splitlines()[1:]
    differing = [
        {line.strip() for line in lines} for lines in zip(*texts.values(), strict=True) if len(set(lines)) > 1
    ]
    assert differing == [
        {f"until = begun + (time.perf_counter() - begun) * {factor}" for factor in ("1.0", "1.1", "1.2")}
    ]


def test_the_matrix_has_a_cell_for_each_release(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path)
    assert [each.versions for each in matrix.rows] == [
        {"planted-speed": version} for version in ("1.0", "1.10", "1.20")
    ]
    assert matrix.subject.normalizer == "planted_speed:normalize"
    assert sorted(matrix.pins) == ["numpy", "openvino", "python", "sentence-transformers", "torch"]
