"""A fixed sample of the kill matrix in a real environment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from kill.registry import list_planted
from kill.running import Laboratory, Row

from harness.resolve.pip_settings import read_pip_settings
from harness.store.store import Store

if TYPE_CHECKING:
    from planted.bench import Bench

pytestmark = pytest.mark.real

SAMPLE = {
    "normalizer.add_1e3": "l2.parity/subject/float32",
    "embedder.half_weights_float16": "l2.parity/manual/float16",
    "model.limit-128": "l1.hidden",
}
"""Fault -> a case that it turns red: one of a normalizer, of an embedder and of a model."""

CORRECT = ("embedder.half_output",)


@pytest.fixture(scope="module")
def rows(bench: Bench) -> dict[str, Row]:
    async def run() -> list[Row]:
        store = Store(bench.store)
        store.claim()
        folder = bench.folder / "kill"
        folder.mkdir()
        laboratory = Laboratory(folder, store, await read_pip_settings(), print, jobs=1)
        wanted = [each for each in list_planted() if each.id in {*SAMPLE, *CORRECT}]
        return [row async for row in laboratory.run(wanted)]

    return {row.id: row for row in asyncio.run(run())}


def test_all_have_run(rows: dict[str, Row]) -> None:
    assert set(rows) == {*SAMPLE, *CORRECT}


def test_each_fault_is_red_by_its_case(rows: dict[str, Row]) -> None:
    red = {name: {each.case for each in rows[name].red} for name in SAMPLE}
    assert {name: case for name, case in SAMPLE.items() if case not in red[name]} == {}


def test_correct_variants_are_green(rows: dict[str, Row]) -> None:
    assert {name: [each.case for each in rows[name].red] for name in CORRECT} == {
        name: [] for name in CORRECT
    }
