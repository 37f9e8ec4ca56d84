"""Trials satisfy the requirements of the subject, as every gate does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from planted.wheels import build_wheel
from support.gate_world import MATRIX, make_world
from support.plan_texts import make_matrix

from harness.gate.cause.trial_lock import resolve_trial, starts_of
from harness.gate.request import UpgradeRequest, compare
from harness.gate.sides import versions_of

SUBJECT = """
[subject]
embedder = "service:Embedder"
requires = ["numpy!=2.2.0", "tokenizers[x]>=0.22"]
"""


def test_a_release_that_the_subject_forbids_is_never_tried(tmp_path: Path) -> None:
    settings = make_world(tmp_path)[1]
    build_wheel(tmp_path / "wheels", "numpy", "2.2.0", {})
    matrix = make_matrix(tmp_path / "bound", MATRIX + SUBJECT)
    upgrade = UpgradeRequest(changes=("numpy==2.4.6", "openvino==2026.4"))

    async def work() -> tuple[str, dict[str, str]]:
        forth, _ = starts_of(await compare(upgrade, matrix, settings, tmp_path))
        forbidden = await resolve_trial(forth, {"numpy": "2.2.0", "openvino": "2026.4"}, matrix, settings)
        allowed = await resolve_trial(forth, {"numpy": "2.0.2"}, matrix, settings)
        return forbidden.reason, versions_of(allowed)

    reason, versions = asyncio.run(work())
    assert "numpy" in reason
    assert (versions["numpy"], versions["openvino"]) == ("2.0.2", "2025.4")


def test_a_release_that_fits_neither_side_moves_others_between_the_two_only(tmp_path: Path) -> None:
    settings = make_world(tmp_path)[1]
    build_wheel(tmp_path / "wheels", "numpy", "2.0.1", {}, requires=["openvino!=2025.4,!=2026.0"])
    build_wheel(tmp_path / "wheels", "openvino", "2025.9", {})
    matrix = make_matrix(tmp_path / "between", MATRIX)
    upgrade = UpgradeRequest(changes=("numpy==2.0.2", "openvino==2026.0"))

    async def work() -> dict[str, str]:
        forth, _ = starts_of(await compare(upgrade, matrix, settings, tmp_path))
        return versions_of(await resolve_trial(forth, {"numpy": "2.0.1"}, matrix, settings))

    assert asyncio.run(work())["openvino"] == "2025.9"  # 2026.4 is there, and is newer than both sides
