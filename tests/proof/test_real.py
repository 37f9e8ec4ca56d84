"""Real gates of the proof: their goals, their table, and going on where they were cut off."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from support.proofs import held, quantities_fixture  # noqa: F401 - fixtures

from harness.errors import UsageError
from harness.gate.measuring import SpeedDecisions
from harness.judge.alpha_spending import find_next_analysis
from harness.records import Block, Quantity, Speed
from harness.resolve.pip_settings import IndexSettings
from harness.store.store import Store
from proof import __main__ as command
from proof import real, stages
from proof.goals import Row, judge_real, tell_machines
from proof.noise import make_pool
from proof.planted import make_matrix
from proof.real import RealGate, make_row, read_rows, run_gates
from proof.table import render_rows

CODE = "this"


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


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
        ratios={"normalize.subject.float32.1": 1.0, "memory.normalizer": 1 + number / 100},
        machine="0123",
        code=CODE,
    )


WITHOUT_EMBEDDING = msgspec.structs.replace(
    row(embedding="unmeasured"),
    verdict="inconclusive",
    blocks={"normalizer": 20},
    seconds={"normalizer": 50.0},
)
"""A gate in which the model could not be converted."""


@pytest.mark.parametrize(
    ("percent", "gates", "holds"),
    [
        (0, [row()] * 20, [True, True, True, True, None, None]),
        (0, [row()] * 19 + [row(verdict="regressed")], [False, True, True, True, None, None]),
        (0, [row()] * 18 + [row(verdict="inconclusive")] * 2, [True, False, False, True, None, None]),
        (0, [row()] * 18 + [row(seconds=121)] * 2, [True, True, False, True, None, None]),
        (0, [row()] * 19 + [row(seconds=121)], [True, True, True, True, None, None]),
        (
            0,
            [row(verdict="inconclusive", embedding="unmeasured")] * 20,
            [True, False, False, False, None, None],
        ),
        (0, [WITHOUT_EMBEDDING] * 20, [True, False, True, False, None, None]),
        (0, [], [False, False, False, False]),
        (10, [row(verdict="regressed")] * 19 + [row()], [True, None, None, None]),
        (10, [row(verdict="regressed")] * 18 + [row()] * 2, [False, None, None, None]),
        (20, [row(verdict="regressed")] * 20, [True, None, None, None]),
        (20, [row(verdict="regressed")] * 19 + [row(verdict="inconclusive")], [False, None, None, None]),
        (20, [], [False, None]),
        (5, [row(5, verdict="regressed")] * 11 + [row(5, verdict="inconclusive")] * 9, [None] * 4),
    ],
)
def test_a_goal_that_is_missed_is_seen(percent: int, gates: list[RealGate], holds: list[bool | None]) -> None:
    assert held(judge_real(percent, gates)) == holds


def test_what_is_found_below_the_default_threshold_is_told_without_a_goal() -> None:
    found, missed = row(5, verdict="regressed", seconds=500), row(5, verdict="inconclusive", seconds=600)
    lines = render_rows(judge_real(5, [found] * 11 + [missed] * 9)).splitlines()[1:]
    assert [" ".join(line.split()) for line in lines[:2]] == [
        "real, 5% slower, 3% allowed: regressed 11 of 20 9 inconclusive, 11 regressed",
        "normalizer decided within 600 s 11 of 20 500 s (95%: 600 s, longest 600 s)",
    ]


def test_the_table_tells_what_was_missed() -> None:
    found = render_rows(judge_real(20, [row(20, verdict="regressed"), row(20)]))
    line = " ".join(found.splitlines()[1].split())
    assert line == "real, 20% slower: regressed 1 of 2 at least 2 MISSED 1 pass, 1 regressed"
    assert " seconds of each 2 of 2 250, 250 ratios 2 of 2 medians from " in " ".join(found.split())


def test_the_table_tells_what_differed_most_between_the_arms() -> None:
    found = render_rows(judge_real(0, [row(number=number) for number in (1, 2, 9)]))
    told = "medians from 1.000 (normalize.subject.float32.1) to 1.020 (memory.normalizer)"
    assert " ".join(found.split()).endswith(f" ratios 3 of 3 {told}")
    bare = msgspec.structs.replace(row(), ratios={})
    assert "never measured" in render_rows(judge_real(0, [bare])).splitlines()[-1]


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


@pytest.fixture
def warmed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The kinds whose environments were run for nothing, in their order; gates are of ``CODE``."""
    kinds: list[int] = []

    async def warm(_world: object, place: Path, percent: int, *_: object) -> None:
        assert is_empty(place)
        kinds.append(percent)

    monkeypatch.setattr(real, "_warm", warm)
    monkeypatch.setattr(real, "digest_code", lambda: CODE)  # of the whole harness: a second
    return kinds


def test_real_gates_go_on_where_they_were_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warmed: list[int]
) -> None:
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
    assert warmed == [0, 20, 0]  # once a kind, and again when it goes on
    assert len(read_rows(tmp_path)) == 3


def test_a_new_environment_is_warmed_as_its_gates_will_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candidate of that kind, with the normalizer only, for a moment; what it measured is gone."""
    seen: list[Any] = []

    async def measure(*given: object, budget: float, folder: Path) -> None:
        seen.extend((*given, budget))
        (folder / "blocks.jsonl").write_text("")

    monkeypatch.setattr(real, "measure_speed", measure)
    world: Any = SimpleNamespace(
        plan_gate=lambda candidate, run: (candidate, run),
        judged_by=lambda _: make_matrix(tmp_path),
        candidates={0: "twin", 20: "slow"},
        request=SimpleNamespace(matrix=make_matrix(tmp_path)),
        settings=None,
    )
    place = tmp_path / "warm-20"
    place.mkdir()
    asyncio.run(real._warm(world, place, 20, lambda _: None))
    plan, _, quantities, _, _, budget = seen
    assert (plan, budget) == (("slow", "warm-20"), real.WARM_SECONDS)
    assert {each.group for each in quantities} == {"normalizer"}
    assert not place.exists()


def test_gates_of_other_code_are_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warmed: list[int]
) -> None:
    async def gate(_world: object, _place: Path, which: tuple[int, int], *_: object) -> RealGate:
        return row(*which)

    said: list[str] = []

    async def run_all() -> tuple[RealGate, ...]:
        return await run_gates(None, tmp_path, {0: 2}, 600.0, lambda told: said.append(told.note))  # type: ignore[arg-type] # the gate is a double and looks at no world

    monkeypatch.setattr(real, "_run_gate", gate)
    old = msgspec.structs.replace(row(0, 2, verdict="regressed"), code="other")
    lines = [msgspec.json.encode(each) + b"\n" for each in (row(0, 1), old)]
    (tmp_path / real.ROWS).write_bytes(b"".join(lines))
    assert [each.verdict for each in asyncio.run(run_all())] == ["pass", "pass"]
    told = "1 gates were measured or decided by other code, and are not counted"
    assert said == [told, "gate 2 of 2: 0% slower, number 2"]
    assert len(read_rows(tmp_path)) == 3
    assert len(asyncio.run(run_all())) == 2
    assert warmed == [0]  # nothing is run for nothing where no gate is


def test_gates_of_several_machines_are_told() -> None:
    gates = [row(), msgspec.structs.replace(row(), machine="4567"), row()]
    assert tell_machines(gates) == Row("real: classes of machines", 2, 2, note="2 on 0123, 1 on 4567")


def test_all_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantities: tuple[Quantity, ...]
) -> None:
    """Simulated at each slow-down and at the threshold, real at each, and where."""

    async def prepare(*_: object) -> Any:
        return SimpleNamespace(
            request=SimpleNamespace(matrix=None),
            settings=None,
            candidates=[None],
            judged_by=lambda _: None,
        )

    async def measure(*_: object) -> Any:
        return {"normalizer": make_pool("normal", quantities, 30, 1)}, quantities

    async def make_twin(*_: object) -> None:
        return None

    async def gates(*_: object) -> tuple[RealGate, ...]:
        return row(), *(row(percent, verdict="regressed") for percent in (5, 10, 20))

    for name, double in (("_prepare", prepare), ("_measure_noise", measure), ("run_gates", gates)):
        monkeypatch.setattr(stages, name, double)
    monkeypatch.setattr(stages, "make_twin", make_twin)
    monkeypatch.setattr(stages, "plan_quantities", lambda *_: quantities)
    wanted = stages.Wanted(tmp_path, Store(tmp_path), gates=1, record=0.0, real=1, budget=1.0, fresh=False)
    rows = asyncio.run(stages.prove(wanted, IndexSettings(), lambda _: None))
    assert [each.what for each in rows if not each.what.startswith(" ")] == [
        *("recorded, normalizer: blocks", "recorded: quantities"),
        *("simulated, identical: regressed", "simulated, identical: passed"),
        "simulated, 5% slower, 3% allowed: regressed",
        *("simulated, 10% slower: regressed", "simulated, 20% slower: regressed"),
        "simulated, 5% slower, as is allowed: decided",
        *("real, identical: regressed", "real, identical: passed"),
        "real, 5% slower, 3% allowed: regressed",
        *("real, 10% slower: regressed", "real, 20% slower: regressed"),
        "real: classes of machines",
    ]


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
    decisions = SpeedDecisions(quantities)
    decisions.analyze("normalizer", blocks, find_next_analysis(0))
    return decisions.summarize(spent=6.0, budget=60.0)
