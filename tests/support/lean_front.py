"""The latency half of the command ``gate``, and what it leaves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.fake_probes import add_probes, estimate_simply
from support.suite_front import Front

from harness.gate import probes as speed_rig
from harness.gate.blocks import read_blocks
from harness.judge import intervals, sampling
from harness.records import Block, QuantityDecision

LATENCIES = tuple(
    f"normalize.manual.{dtype}.{n}" for dtype in ("float32", "float16") for n in (1, 32, 256, 4096)
)
EMBEDDINGS = tuple(f"embed.openvino.float32.{n}" for n in (1, 8, 32))
ALL = (*LATENCIES, "memory.normalizer", *EMBEDDINGS, "memory.embedding")
"""Every quantity, in the order of the plan."""


@pytest.fixture(name="lean")
def lean_fixture(front: Front, monkeypatch: pytest.MonkeyPatch) -> Front:
    """A front with lean processes; three blocks are enough for a look."""
    lab = front.lab
    add_probes(front.folder)

    async def prepare(*_: Any, **__: Any) -> Any:
        return lab.material

    monkeypatch.setattr(speed_rig, "prepare_inputs", prepare)
    monkeypatch.setattr(speed_rig, "make_environments", lambda *_: SimpleNamespace(use=lab.environment))
    monkeypatch.setattr(intervals, "estimate", estimate_simply)
    monkeypatch.setattr(sampling, "FIRST_BLOCKS", 3)
    return front


def ask(lean: Front, *arguments: str) -> int:
    return lean.run("numpy==2.0.2", *arguments, latency=True)


def outcomes(lean: Front) -> dict[str, str]:
    speed = lean.read().speed
    assert speed is not None
    return {each.quantity.id: each.outcome for each in speed.quantities}


def find(lean: Front, quantity: str) -> QuantityDecision:
    speed = lean.read().speed
    assert speed is not None
    return next(each for each in speed.quantities if each.quantity.id == quantity)


def blocks_of(lean: Front) -> tuple[Block, ...]:
    return read_blocks(lean.runs[-1])
