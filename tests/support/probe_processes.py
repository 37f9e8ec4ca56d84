"""Real probe processes with NumPy, and the controller's end of their channels."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cell.interface import CHANNEL_VARIABLE, CellSpec
from harness.sweep import protocol

ROOT = Path(__file__).parents[2]
SMALL = "normalize.manual.float32.1"


NORMALIZERS = """
import itertools
calls, kept = itertools.count(), []

def keep(rows):
    kept.append(bytearray(1 << 20))
    return rows

def give(rows):
    return bytearray(1 << 20)

def refuse(rows):
    raise ValueError("no such\\nrows")

def tire(rows):
    if next(calls) >= 7:
        raise SystemExit("tired")
    return rows
"""


@dataclass
class Probe:
    """A running probe and the controller's end of its channel."""

    process: subprocess.Popen[str]
    ours: socket.socket
    lines: Any
    log: Path

    def say(self, command: protocol.Command) -> None:
        self.ours.sendall(msgspec.json.encode(command) + b"\n")

    def hear(self) -> protocol.AnyEvent:
        return protocol.decode_event(self.lines.readline())

    def hear_all(self, *, until: type[protocol.Event]) -> list[protocol.AnyEvent]:
        said = [self.hear()]
        while not isinstance(said[-1], until):
            said.append(self.hear())
        return said

    def time(self, rounds: int, iterations: int) -> list[protocol.AnyEvent]:
        """Take all rounds of a ready scenario; return its events."""
        self.say(protocol.Calibrate())
        said = [self.hear()]
        self.say(protocol.Begin(rounds=rounds, iterations=iterations, warm_up=0))
        for number in range(rounds):
            self.say(protocol.Turn(round=number))
            said.append(self.hear())
            if isinstance(said[-1], protocol.Untimed):
                break
        else:
            said.append(self.hear())
        self.say(protocol.Next())
        return said

    def leave(self) -> tuple[int, int]:
        """The reported peak memory, and the exit code."""
        (finished,) = self.hear_all(until=protocol.Finished)
        assert isinstance(finished, protocol.Finished)
        return finished.peak_rss, self.process.wait()


@pytest.fixture(name="spec")
def spec_fixture(tmp_path: Path) -> CellSpec:
    (tmp_path / "own.py").write_text(NORMALIZERS, "utf-8")
    return CellSpec(
        "x", ("latency",), {}, "", str(tmp_path), search_path=(str(tmp_path),), scenarios=(SMALL,)
    )


@pytest.fixture(name="start")
def start_fixture(tmp_path: Path) -> Iterator[Callable[[CellSpec], Probe]]:
    started: list[Probe] = []

    def start_one(spec: CellSpec) -> Probe:
        path = tmp_path / f"spec{len(started)}.json"
        spec.write(path)
        ours, theirs = socket.socketpair()
        env = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), CHANNEL_VARIABLE: str(theirs.fileno())}
        argv = (sys.executable, "-m", "harness.cell.probe", str(path))
        log = path.with_suffix(".log")
        with theirs, log.open("w") as printed:
            process = subprocess.Popen(argv, env=env, pass_fds=(theirs.fileno(),), stderr=printed, text=True)
        started.append(Probe(process, ours, ours.makefile("r", encoding="utf-8"), log))
        return started[-1]

    yield start_one
    for probe in started:
        probe.process.kill()
        probe.process.wait()
        probe.lines.close()
        probe.ours.close()
