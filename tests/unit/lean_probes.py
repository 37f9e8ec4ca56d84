"""Lean latency processes, real ones with NumPy, and the controller's end of their channels."""

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

from harness.cell.spec import CHANNEL_VARIABLE, CellSpec
from harness.run import events

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

    def say(self, command: events.Command) -> None:
        self.ours.sendall(msgspec.json.encode(command) + b"\n")

    def hear(self) -> events.AnyEvent:
        return events.decode_event(self.lines.readline())

    def hear_all(self, *, until: type[events.Event]) -> list[events.AnyEvent]:
        said = [self.hear()]
        while not isinstance(said[-1], until):
            said.append(self.hear())
        return said

    def time(self, rounds: int, iterations: int) -> list[events.AnyEvent]:
        """Take all rounds of a scenario that is ready; what was said until its times."""
        self.say(events.Calibrate())
        said = [self.hear()]
        self.say(events.Begin(rounds=rounds, iterations=iterations, warm_up=0))
        for number in range(rounds):
            self.say(events.Turn(round=number))
            said.append(self.hear())
            if isinstance(said[-1], events.Untimed):
                break
        else:
            said.append(self.hear())
        self.say(events.Next())
        return said

    def leave(self) -> tuple[int, int]:
        """The peak that it tells, and its exit code."""
        (finished,) = self.hear_all(until=events.Finished)
        assert isinstance(finished, events.Finished)
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
