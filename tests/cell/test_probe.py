"""The probe process, as a real process with NumPy, driven over its channel as the controller does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.probe_processes import ROOT, SMALL, Probe, spec_fixture, start_fixture  # noqa: F401 - fixtures

from harness.cell.interface import CellSpec
from harness.sweep import protocol

LARGE = "normalize.manual.float16.32"
OWN = "normalize.subject.float32.1"


def name_all(said: list[protocol.AnyEvent]) -> list[str]:
    return [" ".join((type(event).__name__, getattr(event, "scenario", ""))).strip() for event in said]


def test_it_says_what_a_cell_says_and_imports_only_numpy(
    spec: CellSpec, start: Callable[[CellSpec], Probe]
) -> None:
    probe = start(replace(spec, scenarios=(SMALL, LARGE)))
    said = probe.hear_all(until=protocol.Ready)
    assert said[0] == protocol.Hello(pid=probe.process.pid, schema=1)
    assert said[1] == protocol.Stage(name="imports")
    assert isinstance(said[2], protocol.Facts)
    facts = dict(said[2].facts)
    running = facts.pop("threads.running")
    assert running == "unknown" or int(running) >= 1
    assert facts == {
        "python": ".".join(map(str, sys.version_info[:3])),
        "module.numpy": np.__version__,
        "threads.told": "1",
        "imported": "",
    }
    assert said[3:] == [protocol.Stage(name="latency"), protocol.Ready(scenario=SMALL)]
    said = probe.time(rounds=3, iterations=4)
    timed = said.pop()
    assert isinstance(timed, protocol.Timed)
    assert (timed.scenario, timed.iterations, len(timed.rounds)) == (SMALL, 4, 3)
    assert min(timed.rounds) > 0
    assert said[1:] == [protocol.TurnDone(scenario=SMALL, round=number) for number in range(3)]
    assert name_all(said[:1]) == [f"Calibrated {SMALL}"]
    assert probe.hear() == protocol.Ready(scenario=LARGE)
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
    (facts,) = (event for event in probe.hear_all(until=protocol.Ready) if isinstance(event, protocol.Facts))
    assert facts.facts["imported"] == "torch pytest"


@pytest.mark.parametrize(
    ("scenario", "normalizer", "message"),
    [
        ("normalize.reference.float32.1", "keep", "a probe process does not import sentence-transformers"),
        ("embed.sentence-transformers.float32.1", "keep", "a probe process does not import"),
        ("normalize.manual.float32.2", "keep", "the catalogue has no such scenario"),
        (OWN, "refuse", "ValueError: no such rows"),
    ],
)
def test_a_scenario_that_cannot_be_set_up_is_told_and_the_next_one_is_timed(
    spec: CellSpec, start: Callable[[CellSpec], Probe], scenario: str, normalizer: str, message: str
) -> None:
    probe = start(replace(spec, normalizer=f"own:{normalizer}", scenarios=(scenario, SMALL)))
    *_, untimed = probe.hear_all(until=protocol.Untimed)
    assert isinstance(untimed, protocol.Untimed)
    assert untimed.scenario == scenario
    assert message in untimed.message
    probe.say(protocol.Next())
    assert probe.hear() == protocol.Ready(scenario=SMALL)
    probe.time(1, 1)
    assert probe.leave()[1] == 0


def test_a_normalizer_that_raises_in_a_round_is_untimed(
    spec: CellSpec, start: Callable[[CellSpec], Probe]
) -> None:
    probe = start(replace(spec, normalizer="own:tire", scenarios=(OWN,)))
    probe.hear_all(until=protocol.Ready)  # three calls to warm up, three to calibrate, then one in round 0
    said = probe.time(rounds=3, iterations=1)
    assert name_all(said) == [f"Calibrated {OWN}", f"TurnDone {OWN}", f"Untimed {OWN}"]
    assert said[-1] == protocol.Untimed(scenario=OWN, message="SystemExit: tired")
    assert probe.leave()[1] == 0


def test_a_normalizer_that_is_not_there_ends_it(spec: CellSpec, start: Callable[[CellSpec], Probe]) -> None:
    probe = start(replace(spec, normalizer="own:nothing", scenarios=(OWN,)))
    refused = probe.hear_all(until=protocol.SubjectRefused)[-1]
    message = "own:nothing cannot be imported: 'own:nothing': module 'own' has no attribute 'nothing'"
    assert refused == protocol.SubjectRefused(message=f"subject: {message}")
    assert probe.process.wait() == 1


@pytest.mark.parametrize("after", ["ready", "begin"])
def test_a_controller_that_goes_away_ends_it(
    spec: CellSpec, start: Callable[[CellSpec], Probe], after: str
) -> None:
    probe = start(spec)
    probe.hear_all(until=protocol.Ready)
    if after == "begin":
        probe.say(protocol.Begin(rounds=5, iterations=1, warm_up=0))
    probe.ours.shutdown(socket.SHUT_RDWR)
    assert (probe.process.wait(), probe.log.read_text("utf-8")) == (1, "")


def test_a_leak_shows_in_the_peak(spec: CellSpec, start: Callable[[CellSpec], Probe]) -> None:
    def measure_peak(normalizer: str) -> int:
        probe = start(replace(spec, normalizer=f"own:{normalizer}", scenarios=(OWN,)))
        probe.hear_all(until=protocol.Ready)
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
    assert (
        done.stderr == "nothing: not measured: UnsupportedScenarioError: the catalogue has no such scenario\n"
    )
    assert done.returncode == 1
