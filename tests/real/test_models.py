"""Two models of the family in the newest cell: right ones pass, and mistakes are found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from models.cells import RIGHT, Bench, Row
from models.family import FAMILY
from models.table import has_mistake, is_good

from harness.resolve.pip_settings import read_pip_settings
from harness.store.store import Store

if TYPE_CHECKING:
    from planted.bench import Bench as RealBench

pytestmark = pytest.mark.real

SAMPLE = {"bert-float16": (RIGHT,), "decoder-right": (RIGHT, "pooling", "prompt")}
"""A checkpoint that transformers 5 loads in float16; a decoder with prompt, last token and bytes."""


@pytest.fixture(scope="module")
def rows(bench: RealBench) -> dict[tuple[str, str], Row]:
    async def run() -> list[Row]:
        store = Store(bench.store)
        store.claim()
        models = Bench(bench.folder / "models", store, await read_pip_settings(), print, maker="newest")
        members = [each for each in FAMILY if each.name in SAMPLE]
        wanted = [(each, mistake) for each in members for mistake in SAMPLE[each.name]]
        assert all(has_mistake(*each) for each in wanted)
        return [row async for row in models.run(wanted, "newest")]

    return {(row.member, row.mistake): row for row in asyncio.run(run())}


def test_all_have_run(rows: dict[tuple[str, str], Row]) -> None:
    assert set(rows) == {(name, mistake) for name, mistakes in SAMPLE.items() for mistake in mistakes}


def test_right_ones_pass_and_mistakes_are_found(rows: dict[tuple[str, str], Row]) -> None:
    assert {key: row.message for key, row in rows.items() if not is_good(row)} == {}


def test_the_dtype_in_which_the_reference_was_loaded_is_a_note(rows: dict[tuple[str, str], Row]) -> None:
    (note,) = (each for each in rows["bert-float16", RIGHT].notes if "reference-dtype" in each)
    assert "the reference computes in float16 (transformers 5." in note
    assert not [each for each in rows["decoder-right", RIGHT].notes if "reference-dtype" in each]
