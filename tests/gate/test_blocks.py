"""The quantities and slots of blocks, and the file of blocks."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.plan_texts import PLAIN, make_matrix

from harness.cli.options import parse_budget
from harness.errors import UsageError
from harness.gate import blocks as block_module
from harness.gate.blocks import (
    BLOCKS,
    InvalidBlockError,
    append_block,
    measure_block,
    read_blocks,
    read_invalid_blocks,
)
from harness.gate.probes import ARMS, Workload, draw_slots
from harness.gate.quantities import plan_quantities, scenarios_of_group
from harness.records import Block, InvalidBlock, Quantity
from harness.sweep import protocol
from harness.sweep.latency_turns import Arm

OWN = '[subject]\nnormalizer = "service.norm:normalize"\n'


def make_block(number: int) -> Block:
    values = {"memory.normalizer": 5e7 + number}
    arms = {"baseline": values, "again": values, "candidate": values}
    return Block(group="normalizer", number=number, slots=ARMS, seconds=1.5, **arms)


def test_what_a_gate_judges(tmp_path: Path) -> None:
    gate = '[gate]\nlatency = 1.2\nthresholds = { "*.float16.*" = 1.5, "*.1" = 2.0, "memory.e*" = 3.0 }\n'
    found = plan_quantities(make_matrix(tmp_path, PLAIN + gate))
    assert [(each.id, each.group, each.unit, each.threshold) for each in found] == [
        ("normalize.manual.float32.1", "normalizer", "s", 2.0),
        ("normalize.manual.float32.32", "normalizer", "s", 1.2),
        ("normalize.manual.float32.256", "normalizer", "s", 1.2),
        ("normalize.manual.float32.4096", "normalizer", "s", 1.2),
        ("normalize.manual.float16.1", "normalizer", "s", 2.0),  # the last matching glob
        ("normalize.manual.float16.32", "normalizer", "s", 1.5),
        ("normalize.manual.float16.256", "normalizer", "s", 1.5),
        ("normalize.manual.float16.4096", "normalizer", "s", 1.5),
        ("memory.normalizer", "normalizer", "B", 1.1),
        ("embed.openvino.float32.1", "embedding", "s", 2.0),
        ("embed.openvino.float32.8", "embedding", "s", 1.2),
        ("embed.openvino.float32.32", "embedding", "s", 1.2),
        ("memory.embedding", "embedding", "B", 3.0),
    ]


def test_the_subject_replaces_the_default_normalizer(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, PLAIN + OWN)
    found = plan_quantities(matrix, ("normalize.*.1", "memory.*"))
    assert [each.id for each in found] == [
        "normalize.subject.float32.1",
        "normalize.subject.float16.1",
        "memory.normalizer",
        "memory.embedding",
    ]
    assert found[0] == Quantity(id=found[0].id, group="normalizer", unit="s", threshold=1.05)
    assert len(scenarios_of_group(matrix, "normalizer")) == 8
    assert [each.id for each in scenarios_of_group(matrix, "embedding")] == [
        f"embed.openvino.float32.{batch}" for batch in (1, 8, 32)
    ]


def test_a_service_is_timed_as_a_whole_in_its_batch(tmp_path: Path) -> None:
    subject = '\n[subject]\nservice = "app:embed"\nbatch = 6\n'
    found = plan_quantities(make_matrix(tmp_path, PLAIN + subject))
    assert [each.id for each in found] == ["embed.openvino.float32.6", "memory.embedding"]


def test_a_glob_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, PLAIN + '[gate]\nthresholds = { "normalise.*" = 1.5 }\n')
    with pytest.raises(UsageError, match=r"gate.thresholds: 'normalise.\*' matches no quantity"):
        plan_quantities(matrix)
    with pytest.raises(UsageError, match=r"--quantities 'embed.reference.\*' matches no quantity"):
        plan_quantities(make_matrix(tmp_path), ("embed.*", "embed.reference.*"))


def test_slots_are_swapped_from_block_to_block() -> None:
    def draw() -> list[tuple[str, ...]]:
        order = random.Random(1)  # noqa: S311 - the order is no secret
        return list(itertools.islice(draw_slots(order), 200))

    slots = draw()
    assert all(second == first[::-1] for first, second in zip(slots[::2], slots[1::2], strict=True))
    assert {tuple(each) for each in slots} == set(itertools.permutations(ARMS))
    first = sum(each.index("candidate") < each.index("baseline") for each in slots)
    assert first == 100
    assert slots == draw()


def test_blocks_are_read_without_an_incomplete_last_line(tmp_path: Path) -> None:
    assert read_blocks(tmp_path) == ()
    for number in (1, 2, 3):
        append_block(tmp_path, make_block(number))
    whole = (make_block(1), make_block(2), make_block(3))
    assert read_blocks(tmp_path) == whole
    void = InvalidBlock(group="normalizer", number=4, slots=ARMS, arms=("candidate",), void="it hung")
    append_block(tmp_path, void)
    append_block(tmp_path, make_block(5))
    assert (read_blocks(tmp_path), read_invalid_blocks(tmp_path)) == ((*whole, make_block(5)), (void,))
    file = tmp_path / BLOCKS
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:3]))
    assert read_invalid_blocks(tmp_path) == ()
    file.write_bytes(file.read_bytes()[:-20])
    assert read_blocks(tmp_path) == whole[:2]
    file.write_bytes(b'{"group": "other"}\n' + file.read_bytes())
    with pytest.raises(UsageError, match=r"blocks.jsonl: line 1 is not a block as this version writes it"):
        read_blocks(tmp_path)


def test_a_cancelled_block_removes_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancel() -> None:
        raise asyncio.CancelledError

    async def start(_rig: Any, _work: Workload, _slots: Any, scratch: Path, arms: list[Arm]) -> None:
        (scratch / "slot-0").mkdir()
        arms.append(Arm("baseline", SimpleNamespace(end=cancel)))  # type: ignore[arg-type] # a double
        raise InvalidBlockError("no")

    monkeypatch.setattr(block_module, "_start_all", start)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    setup = SimpleNamespace(log_folder=tmp_path / "kept")
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(measure_block(setup, Workload("normalizer", (), frozenset()), 1, ()))  # type: ignore[arg-type] # a double
    assert list(tmp_path.glob("harness-probe-*")) == []


def test_a_block_keeps_the_median_ratio_of_simultaneous_rounds() -> None:
    """Half of the rounds take twice as long, so the medians of the arms are in different halves."""
    rounds = {
        "baseline": (1.0, 1.0, 2.0, 2.0, 2.0),
        "again": (1.0, 1.0, 2.0, 2.0, 2.0),
        "candidate": (1.1, 1.1, 2.2, 2.2, 1.1),
    }
    timed = {name: protocol.Timed(scenario="s", iterations=3, rounds=each) for name, each in rounds.items()}
    arms: Any = [SimpleNamespace(name=name) for name in rounds]
    found = block_module._take_values("s", arms, timed)
    assert found == pytest.approx({"baseline": 2.0, "again": 2.0, "candidate": 2.2})


@pytest.mark.parametrize("odd", [0.0, -1.0, math.nan, math.inf])
def test_an_invalid_time_of_one_round_makes_a_block_invalid(odd: float) -> None:
    good, bad = (
        protocol.Timed(scenario="s", iterations=3, rounds=each) for each in ((1.0,) * 3, (1.0, odd, 1.0))
    )
    arms: Any = [SimpleNamespace(name=name) for name in ARMS]
    with pytest.raises(InvalidBlockError, match="candidate: s: invalid time of a call: ") as told:
        block_module._take_values("s", arms, {"baseline": good, "again": good, "candidate": bad})
    assert told.value.arms == ("candidate",)


@pytest.mark.parametrize(
    ("text", "seconds"), [("600", 600), ("90s", 90), ("10m", 600), ("1.5h", 5400), (" 0.5s ", 0.5)]
)
def test_a_budget_is_a_duration(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-5s", "ten", "10 d", "1e3", "nan", "inf"])
def test_an_invalid_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration such as 10m, 90s or 600"):
        parse_budget(text)
