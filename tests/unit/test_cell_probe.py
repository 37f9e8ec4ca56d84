"""The lean latency process, as a real process with NumPy, driven over its channel as the controller does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.cell.spec import CHANNEL_VARIABLE, CellSpec
from harness.run import events

ROOT = Path(__file__).parents[2]
SMALL = "normalize.manual.float32.1"
LARGE = "normalize.manual.float16.32"
OWN = "normalize.subject.float32.1"

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


@pytest.fixture
def spec(tmp_path: Path) -> CellSpec:
    (tmp_path / "own.py").write_text(NORMALIZERS, "utf-8")
    return CellSpec(
        "x", ("latency",), {}, "", str(tmp_path), search_path=(str(tmp_path),), scenarios=(SMALL,)
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[CellSpec], Probe]]:
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


def name_all(said: list[events.AnyEvent]) -> list[str]:
    return [" ".join((type(event).__name__, getattr(event, "scenario", ""))).strip() for event in said]


def test_it_says_what_a_cell_says_and_imports_only_numpy(
    spec: CellSpec, start: Callable[[CellSpec], Probe]
) -> None:
    probe = start(replace(spec, scenarios=(SMALL, LARGE)))
    said = probe.hear_all(until=events.Ready)
    assert said[0] == events.Hello(pid=probe.process.pid, schema=1)
    assert said[1] == events.Stage(name="imports")
    assert isinstance(said[2], events.Facts)
    facts = dict(said[2].facts)
    running = facts.pop("threads.running")
    assert running == "unknown" or int(running) >= 1
    assert facts == {
        "python": ".".join(map(str, sys.version_info[:3])),
        "module.numpy": np.__version__,
        "threads.told": "1",
        "imported": "",
    }
    assert said[3:] == [events.Stage(name="latency"), events.Ready(scenario=SMALL)]
    said = probe.time(rounds=3, iterations=4)
    timed = said.pop()
    assert isinstance(timed, events.Timed)
    assert (timed.scenario, timed.iterations, len(timed.rounds)) == (SMALL, 4, 3)
    assert min(timed.rounds) > 0
    assert said[1:] == [events.TurnDone(scenario=SMALL, round=number) for number in range(3)]
    assert name_all(said[:1]) == [f"Calibrated {SMALL}"]
    assert probe.hear() == events.Ready(scenario=LARGE)
    assert name_all(probe.time(2, 1)) == [
        f"Calibrated {LARGE}",
        f"TurnDone {LARGE}",
        f"TurnDone {LARGE}",
        f"Timed {LARGE}",
    ]
    peak, code = probe.leave()
    assert (code, peak > 10 << 20) == (0, True)


def test_what_is_imported_all_the_same_is_told(
    spec: CellSpec, tmp_path: Path, start: Callable[[CellSpec], Probe]
) -> None:
    (tmp_path / "torch.py").touch()
    (tmp_path / "fat.py").write_text("import pytest, torch\ndef unit(rows): return rows\n", "utf-8")
    probe = start(replace(spec, normalizer="fat:unit", scenarios=(OWN,)))
    (facts,) = (event for event in probe.hear_all(until=events.Ready) if isinstance(event, events.Facts))
    assert facts.facts["imported"] == "torch pytest"


@pytest.mark.parametrize(
    ("scenario", "normalizer", "message"),
    [
        ("normalize.reference.float32.1", "keep", "a lean process does not import sentence-transformers"),
        ("embed.sentence-transformers.float32.1", "keep", "a lean process does not import"),
        ("normalize.manual.float32.2", "keep", "the catalogue has no such scenario"),
        (OWN, "refuse", "ValueError: no such rows"),
    ],
)
def test_a_scenario_that_cannot_be_set_up_is_told_and_the_next_one_is_timed(
    spec: CellSpec, start: Callable[[CellSpec], Probe], scenario: str, normalizer: str, message: str
) -> None:
    probe = start(replace(spec, normalizer=f"own:{normalizer}", scenarios=(scenario, SMALL)))
    *_, untimed = probe.hear_all(until=events.Untimed)
    assert isinstance(untimed, events.Untimed)
    assert untimed.scenario == scenario
    assert message in untimed.message
    probe.say(events.Next())
    assert probe.hear() == events.Ready(scenario=SMALL)
    probe.time(1, 1)
    assert probe.leave()[1] == 0


def test_a_normalizer_that_raises_in_a_round_is_untimed(
    spec: CellSpec, start: Callable[[CellSpec], Probe]
) -> None:
    probe = start(replace(spec, normalizer="own:tire", scenarios=(OWN,)))
    probe.hear_all(until=events.Ready)  # three calls to warm up, three to calibrate, then one in round 0
    said = probe.time(rounds=3, iterations=1)
    assert name_all(said) == [f"Calibrated {OWN}", f"TurnDone {OWN}", f"Untimed {OWN}"]
    assert said[-1] == events.Untimed(scenario=OWN, message="SystemExit: tired")
    assert probe.leave()[1] == 0


def test_a_normalizer_that_is_not_there_ends_it(spec: CellSpec, start: Callable[[CellSpec], Probe]) -> None:
    probe = start(replace(spec, normalizer="own:nothing", scenarios=(OWN,)))
    failed = probe.hear_all(until=events.ImportFailed)[-1]
    message = "ImportError: 'own:nothing': module 'own' has no attribute 'nothing'"
    assert failed == events.ImportFailed(module="own:nothing", message=message)
    assert probe.process.wait() == 1


@pytest.mark.parametrize("after", ["ready", "begin"])
def test_a_controller_that_goes_away_ends_it(
    spec: CellSpec, start: Callable[[CellSpec], Probe], after: str
) -> None:
    probe = start(spec)
    probe.hear_all(until=events.Ready)
    if after == "begin":
        probe.say(events.Begin(rounds=5, iterations=1, warm_up=0))
    probe.ours.shutdown(socket.SHUT_RDWR)
    assert (probe.process.wait(), probe.log.read_text("utf-8")) == (1, "")


def test_a_leak_shows_in_the_peak(spec: CellSpec, start: Callable[[CellSpec], Probe]) -> None:
    def measure_peak(normalizer: str) -> int:
        probe = start(replace(spec, normalizer=f"own:{normalizer}", scenarios=(OWN,)))
        probe.hear_all(until=events.Ready)
        probe.time(rounds=4, iterations=10)
        return probe.leave()[0]

    calls = 3 + 3 + 4 * 10  # to warm up, to calibrate, in the rounds; each keeps 1 MiB
    leaked = measure_peak("keep") - measure_peak("give")
    assert calls - 10 < leaked >> 20 < calls + 10


def test_by_hand_it_prints_medians(spec: CellSpec, tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    replace(spec, scenarios=(SMALL, "nothing")).write(path)
    done = subprocess.run(
        (sys.executable, "-m", "harness.cell.probe", str(path)),
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    first, last = done.stdout.splitlines()
    assert first.startswith(f"{SMALL}: p50 ")
    assert last.startswith("peak memory of the process: ")
    assert done.stderr == "nothing: not measured: NotLeanError: the catalogue has no such scenario\n"
    assert done.returncode == 1
