"""What isolation costs: the start of a process, and a call in one that runs, with and without it in turns.

``python -m perf.isolating CELL MATRIX STORE ROUNDS`` prints the values as JSON.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.errors import MachineError
from harness.gate.blocks import PROBE, compare_rounds
from harness.held import temporary_folder
from harness.isolation import NONE, View, find_isolation
from harness.matrix.cells import cells_of
from harness.processes import run
from harness.records import Lock, ScenarioPlan, discard
from harness.resolve.pip_settings import read_pip_settings
from harness.store.converted import ConvertedStore
from harness.store.inputs import CellInputs
from harness.store.models import make_environments, make_installer, prepare_inputs
from harness.store.store import Store
from harness.sweep.cell_process import CellProcess, Start
from harness.sweep.latency_phase import wait_until_ready
from harness.sweep.latency_turns import Arm, Turns, count_rounds_to_decide, draw_core
from harness.sweep.limits import Limits, Watch
from harness.sweep.planning import locks_for
from harness.sweep.run_sweep import open_matrix
from perf.bench import Bench
from perf.figures import Figure, compare

SCENARIOS = ("normalize.manual.float32.32", "embed.openvino.float32.1")
"""The shortest call of arrays, which takes microseconds, and the one that is embedded alone."""

STARTS, BLOCKS = 20, 4
"""Starts of each kind, and pairs of fresh processes, for each round that is asked for."""

ISOLATED, PLAIN = "isolated", "plain"
ARMS = (ISOLATED, PLAIN)


async def measure_isolation(bench: Bench, rounds: int) -> list[Figure]:
    """Milliseconds of a start, and ratios of calls that take turns."""
    bench.say("starting processes with and without isolation, and calls in both (minutes)")
    argv = (sys.executable, "-m", "perf.isolating", bench.cell, bench.matrix, str(bench.scratch / "store"))
    found = await bench.tell((*argv, str(rounds)), dict[str, list[float]])
    starts = [found.pop(f"start {arm}") for arm in ARMS]
    return [
        *(Figure(f"start of a process, {arm}", "ms", tuple(starts[at])) for at, arm in enumerate(ARMS)),
        compare("start: isolated / plain", starts[0], starts[1]),
        *(Figure(f"{name}: isolated / plain", "x", tuple(ratios), "1") for name, ratios in found.items()),
    ]


async def _measure(cell: str, matrix: str, store: Path, rounds: int) -> dict[str, list[float]]:
    found, isolation = open_matrix(matrix), await find_isolation("strict")
    planned = next(each for each in cells_of(found) if each.id == cell)
    settings = await read_pip_settings()
    (lock,) = await locks_for((planned,), found, settings)
    installer = make_installer(settings)
    async with AsyncExitStack() as stack:
        inputs = await prepare_inputs(found, Store(store), installer, discard, stack, golden=None)
        arms = {ISOLATED: replace(inputs, isolation=isolation), PLAIN: replace(inputs, isolation=NONE)}
        environments = make_environments(Store(store), installer)
        python = await stack.enter_async_context(environments.use(planned, lock, discard))
        converted = ConvertedStore(Store(store), inputs, Limits().contract)
        model = await stack.enter_async_context(converted.use(cell, lock, python, discard))
        given = _Given(arms, python, lock, model, await stack.enter_async_context(Watch()))
        values: dict[str, list[float]] = {}
        for _ in range(STARTS * rounds):
            for arm, each in arms.items():
                values.setdefault(f"start {arm}", []).append(await _start(python, each))
        rng = random.Random(0)  # noqa: S311 - the order is no secret
        for _ in range(BLOCKS * rounds):
            for scenario, ratio in (await _time_calls(given, rng)).items():
                values.setdefault(scenario, []).append(ratio)
    return values


async def _start(python: Path, inputs: CellInputs) -> float:
    """Milliseconds of an interpreter that does nothing."""
    with temporary_folder("perf") as folder:
        argv = inputs.isolation.wrap((str(python), "-I", "-S", "-c", ""), View(python, (folder,)))
        begun = time.perf_counter()
        done = await run(argv, env={}, isolated=inputs.is_isolated)
        spent = time.perf_counter() - begun
    if done.returncode:
        raise MachineError(f"exit {done.returncode}: {done.stderr[-500:]}")
    return spent * 1000


@dataclass(frozen=True)
class _Given:
    """What all blocks share."""

    inputs: dict[str, CellInputs]
    python: Path
    lock: Lock
    converted: Path | None
    watch: Watch


async def _time_calls(given: _Given, rng: random.Random) -> dict[str, float]:
    """Ratio of each scenario, in a fresh process of each arm."""
    ratios = {}
    async with AsyncExitStack() as stack:
        scratch = stack.enter_context(temporary_folder("perf"))
        arms: list[Arm] = []
        for slot, name in enumerate(rng.sample(ARMS, len(ARMS))):
            workdir = scratch / f"slot-{slot}"
            workdir.mkdir()
            inputs = given.inputs[name]
            spec = inputs.make_spec(name, given.lock, workdir, ("latency",))
            converted = None if given.converted is None else str(given.converted)
            spec = replace(spec, scenarios=SCENARIOS, converted=converted)
            log = scratch / f"{slot}.log"
            start = Start(given.python, inputs, spec, workdir / "spec.json", log, PROBE)
            arms.append(Arm(name, await CellProcess.start(start, Limits(), given.watch, discard)))
            stack.push_async_callback(arms[-1].process.end)
        await asyncio.gather(*(wait_until_ready(arm.process) for arm in arms))
        for scenario in SCENARIOS:
            plan = ScenarioPlan(id=scenario, rounds=100, target_seconds=0.005, budget_seconds=2.0)
            turns = Turns(plan, rng, draw_core(rng, 1), count_rounds_to_decide)
            effects = compare_rounds({name: one.rounds for name, one in (await turns.measure(arms)).items()})
            ratios[scenario] = math.exp(effects[ISOLATED] - effects[PLAIN])
    return ratios


if __name__ == "__main__":
    _cell, _matrix, _store, _rounds = sys.argv[1:]
    _values = asyncio.run(_measure(_cell, _matrix, Path(_store), int(_rounds)))
    sys.stdout.write(msgspec.json.encode(_values).decode())
