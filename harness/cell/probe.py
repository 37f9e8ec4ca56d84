"""The lean latency process of the gate: ``python -m harness.cell.probe spec.json``.

It says on the channel what a cell says in its latency phase, but imports only what its scenarios need: many
small fresh processes decide better than few large ones. pytest and pytest-benchmark would cost more than
NumPy, so ``timeit`` does the timing. By hand, without a controller, it prints the median of each scenario and
the peak memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path
from timeit import Timer
from typing import Any, Callable, List, Optional, Sequence, Tuple

from harness.cell.channel import Channel, ChannelClosedError
from harness.cell.lean import Lean, imported, observe_threads
from harness.cell.memory import high_water_bytes
from harness.cell.record import clean
from harness.cell.spec import CellSpec
from harness.cell.start import SCHEMA, import_modules, leave, settle
from harness.cell.turns import Turns, calibrate, warm_up

BY_HAND = (9, 0.005)
"""Rounds, and seconds of a round, where no controller says how many."""


def run(spec: CellSpec, channel: Channel) -> int:
    """The whole life of a lean process; its exit code.

    Raises:
        ChannelClosedError, OSError: the controller is gone.
    """
    channel.send("hello", pid=os.getpid(), schema=SCHEMA)
    settle(spec)
    channel.send("stage", name="imports")
    lean = Lean(spec)
    if not import_modules(lean.modules(), channel):
        return 1
    from harness.cell.facts import module_versions  # noqa: PLC0415 - looks at what has been imported

    versions = {f"module.{name}": version for name, version in module_versions().items()}
    facts = {"python": platform.python_version(), **versions, **observe_threads(), "imported": imported()}
    channel.send("facts", facts=facts)
    channel.send("stage", name="latency")
    failed = [scenario for scenario in spec.scenarios if not measure(scenario, lean, channel)]
    peak = high_water_bytes()
    channel.send("finished", peak_rss=peak)
    if channel.attended:
        return 0
    sys.stdout.write(f"peak memory of the process: {peak / 2**20:.1f} MiB\n")
    return 1 if failed else 0


def measure(scenario: str, lean: Lean, channel: Channel) -> bool:
    """Set up one scenario, time it in its turns, and be silent until all have finished it.

    Returns:
        False where it could not be measured, which has been told.

    Raises:
        ChannelClosedError, OSError: the controller is gone.
    """
    problem = ""
    try:
        call = lean.load(scenario).call
        warm_up(call)
        times = time_rounds(scenario, call, channel)
    except ChannelClosedError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a subject raises is its result
        problem = clean(f"{type(error).__name__}: {error}")
        channel.send("untimed", scenario=scenario, message=problem)
    if channel.attended:
        channel.wait("next")
    elif problem:
        sys.stderr.write(f"{scenario}: not measured: {problem}\n")
    else:
        sys.stdout.write(f"{scenario}: p50 {sorted(times)[len(times) // 2] * 1e6:.3f} us per call\n")
    return not problem


def time_rounds(scenario: str, call: Callable[[], Any], channel: Channel) -> List[float]:
    """Seconds per call of each round, garbage collection off in a round and on between rounds."""
    turns = Turns(channel, scenario)
    rounds, iterations = turns.begin(call) if channel.attended else _plan_by_hand(call)
    timer = Timer(call)
    times: List[float] = []
    for _ in range(rounds):
        times.append(timer.timeit(iterations) / iterations)
        turns.pass_on()
    turns.finish(iterations, times)
    return times


def _plan_by_hand(call: Callable[[], Any]) -> Tuple[int, int]:
    rounds, seconds = BY_HAND
    return rounds, max(1, round(seconds / max(calibrate(call), 1e-9)))


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Read the command line, then run."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.cell.probe", description="Time some scenarios in a process of little size."
    )
    parser.add_argument("spec", type=Path, help="the spec file that the controller wrote")
    options = parser.parse_args(argv)
    try:
        return run(CellSpec.read(options.spec), Channel.inherited())
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError, ChannelClosedError):
        return 1  # ended, or nobody there to be told: nothing to say


if __name__ == "__main__":
    leave(main())
