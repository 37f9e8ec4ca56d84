"""The command line of the gate: planted wheels are resolved, the suite and the cells are fake."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support import fake_cells
from support.fake_cells import CASES, Lab

from harness.cli import gating
from harness.cli.main import main
from harness.gate import prepare, suite_runs
from harness.matrix.schema import Matrix
from harness.records import Gate
from harness.resolve.pip_settings import IndexSettings
from harness.runs.documents import read_gate
from harness.sweep import run_sweep

World = tuple[Matrix, IndexSettings]

_SPOKEN = 'does = name.split("-")[0]'


@dataclass
class CommandLine:
    """The command line in a folder of its own, with its store and reports."""

    folder: Path
    matrix: Matrix
    monkeypatch: pytest.MonkeyPatch
    lab: Lab

    def ask(self, *arguments: str) -> int:
        places = ("--store", str(self.folder / "store"), "--reports", str(self.folder / "reports"))
        return self.command(*arguments, "--matrix", str(self.matrix.path), "--plain", *places)

    def command(self, *arguments: str) -> int:
        self.monkeypatch.setattr(sys, "argv", ["harness", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        assert isinstance(left.value.code, int)
        return left.value.code

    @property
    def runs(self) -> list[Path]:
        found = (self.folder / "reports" / "runs").glob("2*")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def read(self) -> Gate:
        return read_gate(self.runs[-1] / "gate.json")


def stand_in(
    monkeypatch: pytest.MonkeyPatch, lab: Lab, settings: IndexSettings, behaviour: str, *also: ModuleType
) -> None:
    """Replace the suite and the cells of the pipeline, and of ``also``, by fakes with this ``behaviour``."""
    monkeypatch.setattr(fake_cells, "START", fake_cells.START.replace(_SPOKEN, behaviour))

    async def read_settings() -> IndexSettings:
        return settings

    async def prepare_inputs(*_: Any, **__: Any) -> Any:
        return lab.material

    monkeypatch.setattr(gating, "read_pip_settings", read_settings)
    for module in (run_sweep, suite_runs, *also):
        monkeypatch.setattr(module, "prepare_inputs", prepare_inputs)
        monkeypatch.setattr(module, "make_environments", lambda *_: SimpleNamespace(use=lab.environment))
    monkeypatch.setattr(prepare, "cases_of", lambda _: CASES)
    monkeypatch.chdir(lab.folder)
