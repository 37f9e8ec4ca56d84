"""The search for the cause of a slower candidate, with fake probe processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest
from support.cause_front import UPGRADE, Front, front_fixture, world_fixture  # noqa: F401 - fixtures
from support.fake_probes import add_probes, estimate_simply, read_probes

from harness.gate.blocks import read_blocks
from harness.judge import alpha_spending, intervals
from harness.records import Culprit

if TYPE_CHECKING:
    from pathlib import Path

WANTED = "normalize.manual.float32.256"


@pytest.fixture
def speed_front(front: Front, monkeypatch: pytest.MonkeyPatch) -> Front:
    """Three blocks are enough for an interim analysis."""
    add_probes(front.folder)
    monkeypatch.setattr(intervals, "estimate", estimate_simply)
    monkeypatch.setattr(alpha_spending, "FIRST_BLOCKS", 3)
    return front


def make_slow(folder: Path, rule: str, does: str = "slow") -> None:
    """``rule`` is a Python expression over the versions of a candidate; where true, it ``does`` that."""
    probe = folder / "suite" / "harness" / "cell" / "probe.py"
    told = f'if arm == "candidate" and eval({rule!r}, dict(spec["locked"])):\n    does = {does!r}\n'
    before, hello, after = probe.read_text(encoding="utf-8").partition('send("hello"')
    assert hello
    probe.write_text(before + told + hello + after, encoding="utf-8")


def find_cause(speed_front: Front, quantity: str) -> Culprit:
    assert speed_front.run("'good'", "gate", *UPGRADE, "--quantities", quantity) == 1
    gate = speed_front.read()
    assert (gate.decision.verdict, gate.decision.new) == ("regressed", ())
    assert gate.culprit is not None
    assert gate.culprit.looked_for == (quantity,)
    return gate.culprit


@pytest.mark.parametrize(
    ("quantity", "does", "worse"),
    [(WANTED, "slow", "slower"), ("memory.normalizer", "leaking", "larger")],
)
def test_measurements_find_the_package_and_its_first_bad_release(
    quantity: str, does: str, worse: str, speed_front: Front
) -> None:
    make_slow(speed_front.folder, "openvino >= '2026.4'", does)
    culprit = find_cause(speed_front, quantity)
    assert culprit.sentence == (
        f"openvino 2025.4 -> 2026.4 alone makes {quantity} {worse}; without it no other change is "
        "possible; the first bad release of openvino is 2026.4, the last good one 2026.0"
    )
    assert [change.name for change in culprit.changes] == ["openvino"]
    assert (culprit.alone, culprit.without) == ("red", "green")
    (search,) = culprit.releases
    assert (search.last_good, search.first_bad) == ("2026.0", "2026.4")
    trials = sorted((speed_front.gate_folder / "culprit" / "speed").iterdir())
    assert trials
    assert [len(read_blocks(trial)) for trial in trials] == [3] * len(trials)
    assert not any(psutil.pid_exists(pid) for pid, _, _ in read_probes(speed_front.folder))


def test_a_transitive_change_of_the_cause_is_reported(speed_front: Front) -> None:
    """The bad release of numpy requires the new one of openvino."""
    make_slow(speed_front.folder, "numpy >= '2.4' and openvino >= '2026.4'")
    culprit = find_cause(speed_front, WANTED)
    assert [change.name for change in culprit.changes] == ["numpy"]
    assert [change.name for change in culprit.dragged] == ["openvino"]
    assert (culprit.alone, culprit.without) == ("red", "green")
