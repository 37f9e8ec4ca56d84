"""From a candidate that is slower to who is to blame, with lean processes that are a few lines of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest
from support.culprit_front import UPGRADE, Front, front_fixture, world_fixture  # noqa: F401 - fixtures
from support.fake_probes import add_probes, estimate_simply, read_probes

from harness.gate.blocks import read_blocks
from harness.judge import intervals, sampling
from harness.records import Culprit

if TYPE_CHECKING:
    from pathlib import Path

WANTED = "normalize.manual.float32.256"


@pytest.fixture
def lean(front: Front, monkeypatch: pytest.MonkeyPatch) -> Front:
    """Three blocks are enough for a look."""
    add_probes(front.folder)
    monkeypatch.setattr(intervals, "estimate", estimate_simply)
    monkeypatch.setattr(sampling, "FIRST", 3)
    return front


def make_slow(folder: Path, rule: str, does: str = "slow") -> None:
    """``rule`` is Python: the versions in the environment of a candidate -> whether it ``does`` that."""
    probe = folder / "suite" / "harness" / "cell" / "probe.py"
    told = f'if arm == "candidate" and eval({rule!r}, dict(spec["locked"])):\n    does = {does!r}\n'
    before, hello, after = probe.read_text(encoding="utf-8").partition('send("hello"')
    assert hello
    probe.write_text(before + told + hello + after, encoding="utf-8")


def blame(lean: Front, quantity: str) -> Culprit:
    assert lean.run("'good'", "gate", *UPGRADE, "--quantities", quantity) == 1
    gate = lean.read()
    assert (gate.decision.verdict, gate.decision.new) == ("regressed", ())
    assert gate.culprit is not None
    assert gate.culprit.looked_for == (quantity,)
    return gate.culprit


@pytest.mark.parametrize(
    ("quantity", "does", "worse"),
    [(WANTED, "slow", "slower"), ("memory.normalizer", "leaking", "larger")],
)
def test_what_measuring_says_leads_to_the_package_and_its_first_bad_release(
    quantity: str, does: str, worse: str, lean: Front
) -> None:
    make_slow(lean.folder, "openvino >= '2026.4'", does)
    culprit = blame(lean, quantity)
    assert culprit.sentence == (
        f"openvino 2025.4 -> 2026.4 alone makes {quantity} {worse}; without it no other change is "
        "possible; the first bad release of openvino is 2026.4, the last good one 2026.0"
    )
    assert [change.name for change in culprit.changes] == ["openvino"]
    assert (culprit.alone, culprit.without) == ("red", "green")
    (search,) = culprit.releases
    assert (search.last_good, search.first_bad) == ("2026.0", "2026.4")
    trials = sorted((lean.gate_folder / "culprit" / "speed").iterdir())
    assert trials
    assert [len(read_blocks(trial)) for trial in trials] == [3] * len(trials)
    assert not any(psutil.pid_exists(pid) for pid, _, _ in read_probes(lean.folder))


def test_what_it_takes_two_for_names_both(lean: Front) -> None:
    """The release of numpy that does it needs the one of openvino: that moves along."""
    make_slow(lean.folder, "numpy >= '2.4' and openvino >= '2026.4'")
    culprit = blame(lean, WANTED)
    assert [change.name for change in culprit.changes] == ["numpy"]
    assert [change.name for change in culprit.dragged] == ["openvino"]
    assert (culprit.alone, culprit.without) == ("red", "green")
