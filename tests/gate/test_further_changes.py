"""Further upgrades that give a solution, found with uv over planted wheels."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from planted.wheels import build_wheel
from support.gate_world import make_world

from harness.gate.further_changes import MAX_CALLS, find_further_changes
from harness.gate.request import UpgradeRequest, compare
from harness.matrix.schema import Matrix
from harness.records import FurtherChange, FurtherChanges
from harness.resolve.pip_settings import IndexSettings

World = tuple[Matrix, IndexSettings]

OPENVINO = FurtherChange(name="openvino", held="openvino==2025.4", lowest="2026.0", newest="2026.4")
NUMPY = FurtherChange(name="numpy", held="numpy==1.26.2", lowest="2.0.2", newest="2.0.2")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


def search(
    world: World, folder: Path, *changes: str, max_calls: int = MAX_CALLS, to: str = ""
) -> FurtherChanges:
    if to:
        (folder / "to.txt").write_text(to.replace(" ", "\n"), encoding="utf-8")
    upgrade = UpgradeRequest(changes=changes, to_file="to.txt" if to else None)

    async def work() -> FurtherChanges:
        comparison = await compare(upgrade, *world, folder)
        assert comparison.after.reason
        return await find_further_changes(comparison, *world, max_calls=max_calls)

    return asyncio.run(work())


def test_one_further_upgrade(world: World, tmp_path: Path) -> None:
    assert search(world, tmp_path, "numpy==2.4.6") == FurtherChanges(
        changes=(OPENVINO,), smallest=True, calls=3
    )


def test_a_further_upgrade_of_a_tested_package(world: World, tmp_path: Path) -> None:
    found = search(world, tmp_path, "sentence-transformers==6.2.0")
    assert (found.changes, found.smallest) == ((NUMPY,), True)


def test_pins_of_a_file_are_freed_too(world: World, tmp_path: Path) -> None:
    found = search(world, tmp_path, to="numpy==2.0.2 sentence-transformers==6.2.0 transformers==4.57.6")
    held = FurtherChange(name="transformers", held="transformers==4.57.6", lowest="5.1", newest="5.1")
    assert (found.changes, found.smallest) == ((held,), True)


def test_two_further_upgrades(world: World, tmp_path: Path) -> None:
    found = search(world, tmp_path, to="numpy==2.4.6 sentence-transformers==6.2.0 transformers==4.57.6")
    assert [change.name for change in found.changes] == ["openvino", "transformers"]
    assert found.smallest


def test_a_pin_of_a_file_that_is_too_low_is_freed_upwards(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    build_wheel(tmp_path / "wheels", "openvino", "2025.5", {"openvino.py": ""}, requires=["numpy<2.1"])
    found = search(world, tmp_path, to="numpy==2.4.6 openvino==2025.5")
    held = FurtherChange(name="openvino", held="openvino==2025.5", lowest="2026.0", newest="2026.4")
    assert (found.changes, found.smallest) == ((held,), True)


def test_the_limit_of_calls_is_reported(world: World, tmp_path: Path) -> None:
    pins = "numpy==2.4.6 sentence-transformers==6.2.0 transformers==4.57.6"
    found = search(world, tmp_path, to=pins, max_calls=2)
    assert [change.name for change in found.changes] == ["openvino", "transformers"]
    assert (found.smallest, found.calls) == (False, 3)


def test_no_further_upgrade_gives_a_solution(world: World, tmp_path: Path) -> None:
    assert search(world, tmp_path, "numpy==9") == FurtherChanges(calls=1)
