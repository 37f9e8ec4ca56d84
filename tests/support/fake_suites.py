"""The plugin of a cell in a real pytest process over a suite of one file, and what it says."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from harness.cell.interface import CHANNEL_VARIABLE, CellSpec
from harness.sweep import protocol

ROOT = Path(__file__).parents[2]

CHECKS = """
[[check]]
id = "l0.width"
layer = "L0"
title = "t"
advice = "a"
over = ["normalizer", "dtype"]
dtype = ["float16", "float32"]
bound = "equal"
limit = 1

[[check]]
id = "env.first"
layer = "ENV"
title = "t"
advice = "a"
bound = "max"
limit = 2
may-skip = ["no such * here"]
"""

BOTH = """
import pytest

@pytest.mark.check("l0.width")
def test_width(normalizer, dtype, normalize, record):
    record(value=len(normalize([1])), unit="rows", bound="equal", allowed=1)

@pytest.mark.check("env.first")
def test_first(record):
    record(value=0, unit="faults", bound="max", allowed=0)
"""

PROGRAM = """
import sys
from pathlib import Path
from harness.cell.interface import load_checks
from harness.cell.channel import Channel
from harness.cell.interface import CellSpec
from harness.cell.start import run_suite
folder = Path(sys.argv[1])
ini = folder / "pytest.ini"
arguments = [str(folder / "suite"), "-c", str(ini), f"--rootdir={folder}", "-p", "no:cacheprovider"]
spec = CellSpec.read(folder / "spec.json")
checks = load_checks(folder / "checks.toml")
sys.exit(run_suite(spec, Channel.inherited(), checks, arguments))
"""

SPEC = CellSpec("x", ("contract",), {}, "", "", normalizer="builtins:list", only=("*/subject/*", "env.*"))


@dataclass(frozen=True)
class Ended:
    """What a run left behind."""

    returncode: int
    printed: str
    said: list[protocol.AnyEvent]

    @property
    def cases(self) -> dict[str, tuple[str, str]]:
        return {
            event.result.id: (event.result.outcome, event.result.message)
            for event in self.said
            if isinstance(event, protocol.Case)
        }

    @property
    def ids(self) -> list[str]:
        return [event.result.id for event in self.said if isinstance(event, protocol.Case)]


Run = Callable[..., Ended]


@pytest.fixture(name="run")
def run_fixture(tmp_path: Path) -> Run:
    """Run a suite of one file in a process of its own, with a controller that only listens."""

    def run_file(text: str, spec: CellSpec = SPEC, *, connected: bool = True, checks: str = CHECKS) -> Ended:
        (tmp_path / "suite").mkdir()
        (tmp_path / "suite" / "test_it.py").write_text(text)
        (tmp_path / "checks.toml").write_text(checks)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        replace(spec, workdir=str(tmp_path)).write(tmp_path / "spec.json")
        return start([sys.executable, "-c", PROGRAM, str(tmp_path)], connected=connected)

    return run_file


def start(argv: list[str], *, connected: bool = True) -> Ended:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        if connected:
            env[CHANNEL_VARIABLE] = str(theirs.fileno())
        done = subprocess.run(
            argv, env=env, pass_fds=[theirs.fileno()], capture_output=True, text=True, check=False, timeout=60
        )
        theirs.close()
        lines = ours.makefile("rb").readlines()
    said = [msgspec.json.decode(line, type=protocol.AnyEvent) for line in lines]
    return Ended(done.returncode, done.stdout + done.stderr, said)
