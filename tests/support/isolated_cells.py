"""Cells that attack: a suite of a few lines that reports what it could do, with and without isolation."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from support.fake_cells import Lab
from support.fake_channel import CHANNEL

from harness.isolation import NONE, Isolation, find_isolation
from harness.store.inputs import CellInputs, read_suite

if TYPE_CHECKING:
    from pathlib import Path

    from harness.records import CellResult

FOUND = asyncio.run(find_isolation("auto"))


def _allows_namespaces() -> bool:
    """Whether this machine does: then cells have to be isolated, and no test is left out."""
    argv = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--", "/bin/sh", "-c", ":"]
    return shutil.which("bwrap") is not None and subprocess.run(argv, check=False).returncode == 0


needs_isolation = pytest.mark.skipif(
    not _allows_namespaces(), reason=f"cells cannot be isolated: {FOUND.reason}"
)

BEFORE = """
import json
from pathlib import Path
def attack():
    return None
"""

AFTER = """
try:
    seen = attack()
except BaseException as error:
    seen = type(error).__name__
send("hello", pid=os.getpid(), schema=1)
send("stage", name="imports")
send("facts", facts={"seen": json.dumps(seen)})
send("collected", cases=["l0.one", "l0.two"], scenarios=[])
send("stage", name="contract")
for id in ("l0.one", "l0.two"):
    seen = {"observation": {"value": 0.0, "unit": "ulp"}}
    send("case", result={"id": id, "outcome": "pass", "seconds": 0.1, **seen})
send("contract-done", peak_rss=1000, rss=900)
send("finished", peak_rss=2000)
"""


@dataclass
class Attacker(Lab):
    """A lab whose cells run ``attack()`` of this code; its value is the fact ``seen``, an error its name.

    The environment is one in the store, so that nothing of the tests' own can be damaged.
    """

    code: str = ""
    isolation: Isolation = NONE
    reads: tuple[Path, ...] = ()

    @property
    def environment_folder(self) -> Path:
        return self.store.environments / ("0" * 20)

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def material(self) -> CellInputs:
        usual = super().material
        suite = usual.suite.folder
        (suite / "harness/cell/start.py").write_text(CHANNEL + BEFORE + self.code + AFTER)
        return replace(
            usual,
            suite=read_suite(suite),
            search_path=(self.folder / "code",),
            reads=self.reads,
            isolation=self.isolation,
        )

    def attack(self, code: str, *, isolated: bool, network: bool = False) -> Any:
        """What a cell with this code sees."""
        self.code = code
        self.isolation = replace(FOUND, network=network) if isolated else NONE
        self.result = self.run_one("good")
        assert "seen" in self.result.facts, self.result
        return json.loads(self.result.facts["seen"])

    result: CellResult | None = None


def make_attacker(folder: Path) -> Attacker:
    """An attacker with an environment, a model and a folder of code."""
    lab = Attacker(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(lab.environment_folder)], check=True)
    lab.wait_environment = lambda _: str(lab.environment_folder / "bin" / "python")
    lab.model.mkdir()
    (lab.model / "weights").write_text("1")
    (lab.folder / "code").mkdir()
    return lab


def find_by_argument(mark: str) -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or ())]
