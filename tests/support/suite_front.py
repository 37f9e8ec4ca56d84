"""The command ``gate`` over fake cells with a set behaviour."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.fake_cells import Lab
from support.gate_front import CommandLine, World, stand_in
from support.gate_world import make_world

BEHAVIOUR = """
said = load(place, "does.json")[name].split(",")
with open(place + f"/starts-{name}", "a+") as starts:
    starts.write("x")
    started = starts.tell() - 1
does = said[min(started, len(said) - 1)]
"""


@pytest.fixture(scope="module", name="world")
def world_fixture(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


class Front(CommandLine):
    """``does`` sets the behaviour of the cells; ``good,failing``: of the first process, and of all others."""

    def does(self, *, baseline: str = "good", candidate: str = "good") -> None:
        for name in ("baseline", "candidate"):
            (self.folder / f"starts-{name}").unlink(missing_ok=True)
        said = json.dumps({"baseline": baseline, "candidate": candidate})
        (self.folder / "does.json").write_text(said, encoding="utf-8")

    @property
    def starts(self) -> dict[str, int]:
        """Number of processes of each cell since its behaviour was set."""
        files = {name: self.folder / f"starts-{name}" for name in ("baseline", "candidate")}
        return {name: len(path.read_text()) if path.exists() else 0 for name, path in files.items()}

    def run(self, *arguments: str, latency: bool = False) -> int:
        return self.ask("gate", *arguments, *(() if latency else ("--no-latency",)))


@pytest.fixture(name="front")
def front_fixture(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Front:
    matrix, settings = world
    found = Front(tmp_path, matrix, monkeypatch, Lab(tmp_path))
    stand_in(monkeypatch, found.lab, settings, BEHAVIOUR)
    found.does()
    return found
