"""Projects for `harness init`: planted wheels are resolved, and the service is really called."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.command_line import command
from support.gate_world import make_world

from harness.cli import init
from harness.init import first_call
from harness.resolve.pip_settings import IndexSettings

SERVICE = """
import numpy as np

class Encoder:
    def __init__(self, folder: str):
        self.scale = float(open(folder + "/modules.json").read())

    def compiled(self):
        import openvino
        return openvino.compile_model(self.scale)

    def encode(self, texts: list[str]):
        return np.array([[len(text), self.scale] for text in texts], dtype=np.float32)
"""
NORM = """
import numpy as np

def to_unit(m):
    return m / np.linalg.norm(m, axis=1, keepdims=True)
"""


@pytest.fixture(scope="module", name="settings")
def settings_fixture(tmp_path_factory: pytest.TempPathFactory) -> IndexSettings:
    return make_world(tmp_path_factory.mktemp("world"))[1]


class Project:
    """A project, and the command in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys

    def put(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def init(self, *arguments: str) -> tuple[int, str, str]:
        code = command(self.monkeypatch, "init", "--yes", "--store", str(self.folder / ".store"), *arguments)
        said = self.capsys.readouterr()
        return code, said.out, said.err

    @property
    def files(self) -> set[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        names = {path.relative_to(self.folder).as_posix() for path in found}
        return {name for name in names if not name.startswith((".store", ".git/"))}


@pytest.fixture(name="project")
def project_fixture(
    tmp_path: Path,
    settings: IndexSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Project:
    """A service, its dependency file and its model."""

    async def read_settings() -> IndexSettings:
        return settings

    @contextlib.asynccontextmanager
    async def use(*_: Any) -> AsyncIterator[Path]:
        yield Path(sys.executable)

    monkeypatch.setattr(init, "read_pip_settings", read_settings)
    monkeypatch.setattr(first_call, "make_environments", lambda *_: SimpleNamespace(use=use))
    folder = tmp_path / "project"
    model = folder / "models" / "mine"
    model.mkdir(parents=True)
    (model / "modules.json").write_text("3.0", encoding="utf-8")
    (model / "model.safetensors").touch()
    (folder / "requirements.txt").write_text(
        "numpy==1.26.2\ntransformers>=4,<5\nflask==3.0\nopenvino==2025.4\n", encoding="utf-8"
    )
    monkeypatch.chdir(folder)
    made = Project(folder, monkeypatch, capsys)
    made.put(**{"search/__init__": "", "search/vectors": SERVICE, "search/norm": NORM})
    return made
