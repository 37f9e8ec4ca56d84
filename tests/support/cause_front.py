"""The commands ``gate`` and ``bisect`` over fake cells that behave by version."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted.wheels import build_wheel
from support.fake_cells import Lab
from support.gate_front import CommandLine, World, stand_in
from support.gate_world import make_world

from harness.gate import probes
from harness.records import Culprit

BEHAVIOUR = 'does = eval(open(place + "/rule.txt").read(), dict(spec["locked"]))'
NEW_NUMPY = "'failing' if numpy >= '2.2' else 'good'"
UPGRADE = ("numpy==2.4.6", "openvino==2026.4")


@pytest.fixture(scope="module", name="world")
def world_fixture(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    found = make_world(folder)
    build_wheel(folder / "wheels", "numpy", "2.2.0", {})
    return found


class Front(CommandLine):
    """A rule is a Python expression over the versions of a cell; its value is the behaviour."""

    def run(self, rule: str, *arguments: str) -> int:
        (self.folder / "rule.txt").write_text(rule, encoding="utf-8")
        return self.ask(*arguments)

    @property
    def gate_folder(self) -> Path:
        (found,) = self.runs
        return found

    def find_cause(self, rule: str, *changes: str) -> Culprit:
        """The cause of a failed gate."""
        assert self.run(rule, "gate", *changes, "--no-latency") == 1
        culprit = self.read().culprit
        assert culprit is not None
        return culprit


@pytest.fixture(name="front")
def front_fixture(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Front:
    matrix, settings = world
    found = Front(tmp_path, matrix, monkeypatch, Lab(tmp_path))
    stand_in(monkeypatch, found.lab, settings, BEHAVIOUR, probes)
    return found
