"""Upgrades in the index of ``gate_world``: the comparison and its changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.gate_world import make_world

from harness.gate.request import Comparison, UpgradeRequest, compare
from harness.matrix.schema import Matrix
from harness.resolve.lockfile import diff_locks
from harness.resolve.pip_settings import IndexSettings

World = tuple[Matrix, IndexSettings]


@pytest.fixture(scope="module", name="world")
def world_fixture(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


def ask(world: World, folder: Path, *changes: str, **files: str) -> Comparison:
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text.replace(" ", "\n"), encoding="utf-8")
    named = {name: f"{name}.txt" for name in files}
    upgrade = UpgradeRequest(changes=changes, from_file=named.get("from_file"), to_file=named.get("to_file"))
    return asyncio.run(compare(upgrade, *world, folder))


def moves(found: Comparison) -> dict[str, str]:
    diff = diff_locks(found.before, found.after, found.asked)
    return {
        f"{'!' if change.asked else ''}{change.name}": f"{change.before} {change.after}".strip()
        for change in diff.changes
    }
