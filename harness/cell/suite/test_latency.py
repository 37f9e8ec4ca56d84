"""Latency scenarios, timed by pytest-benchmark in the turns of the controller.

By hand: a spec with ``"phases": ["latency"]`` and ``scenarios`` runs and prints five rounds of each.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.cell import facts
from harness.cell.channel import Channel
from harness.cell.interface import CellSpec, Scenario
from harness.cell.scenarios import (
    Target,
    make_normalize,
    make_openvino,
    make_sentence_transformers,
    pick_texts,
)
from harness.cell.turns import Turns, warm_up


def make_target(scenario: Scenario, spec: CellSpec, request: pytest.FixtureRequest) -> Target:
    """Prepare the call of the scenario; models are loaded only if needed."""
    if scenario.kind == "normalize":
        return make_normalize(scenario, spec)
    corpus = [entry.text for entry in request.getfixturevalue("corpus")]
    texts = pick_texts(corpus, scenario.batch, own=bool(spec.corpus))
    if scenario.target == "sentence-transformers":
        return make_sentence_transformers(texts, request.getfixturevalue("loaded_reference"))
    return make_openvino(texts, request.getfixturevalue("subject"), spec)


def test_latency(
    scenario: str, spec: CellSpec, channel: Channel, benchmark: Any, request: pytest.FixtureRequest
) -> None:
    """Time one scenario, its rounds in the turns of the controller."""
    planned = spec.list_scenarios()[scenario]
    target = make_target(planned, spec, request)
    warm_up(target.call)
    benchmark.group = f"{planned.kind}.{planned.dtype}.{planned.batch}"
    benchmark.extra_info.update(cell=spec.cell, scenario=scenario, **target.facts, **facts.module_versions())
    turns = Turns(channel, scenario)
    rounds, iterations = turns.begin(target.call)
    benchmark.pedantic(target.call, rounds=rounds, iterations=iterations, teardown=turns.pass_on)
    turns.finish(iterations, benchmark.stats.stats.data)
