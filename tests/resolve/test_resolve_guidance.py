"""Guided resolutions and what lies between two locks; through uv itself, from wheels that the test makes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from planted.wheels import build_wheel
from support.plan_texts import PLAIN, make_matrix

from harness.matrix.schema import Matrix
from harness.records import Cell, Distribution, Lock, LockChange, LockDiff
from harness.resolve.lockfile import diff_locks
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve

UNDATED = PLAIN.replace('exclude-newer = "2026-11-01"', "")


@pytest.fixture
def matrix(tmp_path: Path) -> Matrix:
    return make_matrix(tmp_path / "matrices", UNDATED)


@pytest.fixture
def settings(tmp_path: Path) -> IndexSettings:
    links = tmp_path / "wheels"
    links.mkdir()
    for version in ("1.0", "2.0", "3.0"):
        build_wheel(links, "dep", version, {"dep.py": ""})
    for version in ("1.0", "2.0"):
        build_wheel(links, "root", version, {"root.py": ""}, requires=["dep"])
    return IndexSettings(find_links=(str(links),), no_index=True)


def resolve_root(asked: str, matrix: Matrix, settings: IndexSettings, guidance: Guidance) -> dict[str, str]:
    cell = Cell(id="some-cell", axes={}, requirements=(asked,), python="3.11")
    lock = asyncio.run(resolve(cell, matrix, settings, guidance))
    return {found.name: found.version for found in lock.distributions}


@pytest.mark.parametrize(
    ("asked", "guidance", "found"),
    [
        ("root", Guidance(), {"root": "2.0", "dep": "3.0"}),
        ("root==2.0", Guidance(preferred={"root": "1.0", "dep": "1.0"}), {"root": "2.0", "dep": "1.0"}),
        ("root", Guidance(constraints=("dep<3", "absent==1")), {"root": "2.0", "dep": "2.0"}),
        ("root", Guidance(lowest=True), {"root": "1.0", "dep": "3.0"}),
    ],
    ids=["newest", "what-was-there-stays", "constraints-bind-what-is-needed", "lowest"],
)
def test_guided(
    asked: str, guidance: Guidance, found: dict[str, str], matrix: Matrix, settings: IndexSettings
) -> None:
    assert resolve_root(asked, matrix, settings, guidance) == found


def lock(**versions: str) -> Lock:
    return Lock(
        cell="some-cell",
        platform="linux-x86_64",
        python="3.11",
        inputs="1",
        origin="resolved",
        digest="2",
        distributions=tuple(
            Distribution(name=name, version=version.partition("/")[0], sha256=(version,))
            for name, version in versions.items()
        ),
    )


def test_whole_diff() -> None:
    before = lock(numpy="1.26.2", scipy="1.11", old="1", same="1", rebuilt="1/first")
    after = lock(numpy="2.4.6", scipy="1.16", new="3", same="1", rebuilt="1/second")
    assert diff_locks(before, after, {"numpy", "same"}) == LockDiff(
        changes=(
            LockChange(name="numpy", kind="changed", asked=True, before="1.26.2", after="2.4.6"),
            LockChange(name="new", kind="added", asked=False, after="3"),
            LockChange(name="old", kind="removed", asked=False, before="1"),
            LockChange(name="rebuilt", kind="changed", asked=False, before="1", after="1"),
            LockChange(name="scipy", kind="changed", asked=False, before="1.11", after="1.16"),
        ),
        unchanged=1,
    )
    assert diff_locks(before, before, {"numpy"}) == LockDiff(unchanged=5)
