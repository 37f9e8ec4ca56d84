"""The latency of the command ``gate`` over fake probe processes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.fake_probes import add_probes, estimate_simply
from support.suite_front import Front

from harness.gate import probes
from harness.gate.blocks import read_blocks
from harness.judge import alpha_spending, intervals
from harness.records import Block, QuantityDecision

LATENCIES = tuple(
    f"normalize.manual.{dtype}.{n}" for dtype in ("float32", "float16") for n in (1, 32, 256, 4096)
)
EMBEDDINGS = tuple(f"embed.openvino.float32.{n}" for n in (1, 8, 32))
ALL = (*LATENCIES, "memory.normalizer", *EMBEDDINGS, "memory.embedding")
"""Every quantity, in the order of the plan."""


@pytest.fixture(name="speed_front")
def speed_front_fixture(front: Front, monkeypatch: pytest.MonkeyPatch) -> Front:
    """A front with fake probe processes; three blocks are enough for an interim analysis."""
    lab = front.lab
    add_probes(front.folder)

    async def prepare(*_: Any, **__: Any) -> Any:
        return lab.material

    monkeypatch.setattr(probes, "prepare_inputs", prepare)
    monkeypatch.setattr(probes, "make_environments", lambda *_: SimpleNamespace(use=lab.environment))
    monkeypatch.setattr(intervals, "estimate", estimate_simply)
    monkeypatch.setattr(alpha_spending, "FIRST_BLOCKS", 3)
    return front


def ask(speed_front: Front, *arguments: str) -> int:
    return speed_front.run("numpy==2.0.2", *arguments, latency=True)


def outcomes(speed_front: Front) -> dict[str, str]:
    speed = speed_front.read().speed
    assert speed is not None
    return {each.quantity.id: each.outcome for each in speed.quantities}


def find(speed_front: Front, quantity: str) -> QuantityDecision:
    speed = speed_front.read().speed
    assert speed is not None
    return next(each for each in speed.quantities if each.quantity.id == quantity)


def blocks_of(speed_front: Front) -> tuple[Block, ...]:
    return read_blocks(speed_front.runs[-1])
