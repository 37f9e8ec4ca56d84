"""One block: a fresh probe process per arm, rounds in turns; and the file of blocks."""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.files import copy_whole, describe_os_error, naming
from harness.gate.probes import ProbeSetup, Workload
from harness.held import temporary_folder
from harness.input_files import MAX_RESULTS, read_input
from harness.records import BASELINE, UNREADABLE, Block, InvalidBlock, discard
from harness.sweep import protocol
from harness.sweep.cell_process import CellProcess, Start
from harness.sweep.latency_phase import wait_until_ready
from harness.sweep.latency_turns import Arm, Turns, count_rounds_to_decide, draw_core

# Summarize the rounds of a block as one number per process. Pure.

MAX_ROUND_OFFSET = 1
"""Largest difference between the numbers of two rounds that are compared."""


def compare_rounds(rounds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Estimate the effect of each process: the log of its time relative to the others; the effects sum to 0.

    A pair of processes is compared by the median log ratio of rounds that ran at about the same time. The
    effects are the least-squares fit to all pairs, which is the mean over the other processes. Other load
    that slows the machine for a moment affects neighbouring rounds alike, or only few of the ratios.

    The effects do not depend on the names of the processes. So the difference of two identical processes is
    symmetric about 0, as the intervals require.

    Root mean square of the difference of two effects of identical processes, and of the median ratio of
    rounds with the same number, on a machine with load on the other hyperthread of each core (15 and 52
    blocks, 2026-11): one text 0.020 and 0.023, 8 texts 0.030 and 0.042, 32 texts 0.030 and 0.035, 256
    float16 rows 0.016 and 0.021, 4096 of them 0.054 and 0.061; one float32 row 0.029 and 0.032.

    Args:
        rounds: seconds per call of each process, in order of time; equally many for each process.
    """
    logs = {name: [math.log(seconds) for seconds in each] for name, each in rounds.items()}
    return {
        name: sum(_compare_pair(mine, theirs) for other, theirs in logs.items() if other != name) / len(logs)
        for name, mine in logs.items()
    }


def _compare_pair(mine: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(
        each - other
        for number, each in enumerate(mine)
        for other in theirs[max(0, number - MAX_ROUND_OFFSET) : number + MAX_ROUND_OFFSET + 1]
    )


# The blocks of a gate are appended to a file, one line each, so that an interrupted gate keeps them.

BLOCKS = "blocks.jsonl"


def append_block(folder: Path, block: Block | InvalidBlock) -> None:
    """Append a block, valid or invalid, as one line and flush it to the disk.

    Raises:
        OSError: the disk is full, or permission is missing.
    """
    path = folder / BLOCKS
    with naming(path), path.open("ab") as file:
        file.write(msgspec.json.encode(block) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_blocks(folder: Path) -> tuple[Block, ...]:
    """Read the valid blocks in order; an incomplete last line of an interrupted gate is ignored.

    Raises:
        UsageError: a line is not a block.
    """
    return tuple(each for each in _read_lines(folder) if isinstance(each, Block))


def read_invalid_blocks(folder: Path) -> tuple[InvalidBlock, ...]:
    """Read the invalid blocks in order; empty for gates older than this record.

    Raises:
        UsageError: a line is not a block.
    """
    return tuple(each for each in _read_lines(folder) if isinstance(each, InvalidBlock))


def _read_lines(folder: Path) -> tuple[Block | InvalidBlock, ...]:
    path = folder / BLOCKS
    if not path.exists():
        return ()
    lines = read_input(path, MAX_RESULTS).split(b"\n")[:-1]
    return tuple(_read(path, number, line) for number, line in enumerate(lines, 1))


def _read(path: Path, number: int, line: bytes) -> Block | InvalidBlock:
    try:
        found = msgspec.json.decode(line, type=dict[str, object])
        if "void" in found:
            return msgspec.convert(found, InvalidBlock)
        return msgspec.convert(found, Block)
    except UNREADABLE as error:
        raise UsageError(f"{path}: line {number} is not a block as this version writes it: {error}") from None


PROBE = "harness.cell.probe"


class InvalidBlockError(Exception):
    """A block is invalid because of these ``arms``.

    ``scenario`` is the scenario that could not be measured; empty if a process ended.
    """

    def __init__(self, reason: str, arms: Sequence[str] = (), scenario: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.arms = tuple(arms)
        self.scenario = scenario


async def measure_block(setup: ProbeSetup, workload: Workload, number: int, slots: Sequence[str]) -> Block:
    """Measure one block: one number per arm and quantity.

    Raises:
        InvalidBlockError: a process died, hung, sent an unexpected message, or could not measure a scenario.
        OSError: the disk is full.
    """
    begun = time.monotonic()
    with temporary_folder("probe") as scratch:
        values = await _measure(setup, workload, number, slots, scratch)
    by_arm = {
        name: {id_: value for id_, value in found.items() if id_ in workload.quantities}
        for name, found in values.items()
    }
    seconds = round(time.monotonic() - begun, 3)
    return Block(group=workload.group, number=number, slots=tuple(slots), seconds=seconds, **by_arm)


async def _measure(
    setup: ProbeSetup, workload: Workload, number: int, slots: Sequence[str], scratch: Path
) -> dict[str, dict[str, float]]:
    """Measure every quantity in every arm, and end every process in any case."""
    arms: list[Arm] = []
    try:
        await _start_all(setup, workload, slots, scratch, arms)
        core = draw_core(setup.rng, setup.material.threads)
        values: dict[str, dict[str, float]] = {arm.name: {} for arm in arms}
        for scenario in workload.scenarios:
            timed = await Turns(scenario, setup.rng, core, count_rounds_to_decide).measure(arms)
            _check_running(arms)
            for name, value in _take_values(scenario.id, arms, timed).items():
                values[name][scenario.id] = value
        await asyncio.gather(*(arm.leave() for arm in arms))
        _check_running(arms)
        await _check_files(setup, arms)
        for arm in arms:
            values[arm.name][f"memory.{workload.group}"] = _read_peak(arm)
    except InvalidBlockError:
        _keep_logs(setup, workload, number, slots, scratch)
        raise
    finally:
        await asyncio.gather(*(arm.process.end() for arm in arms))
    return values


async def _start_all(
    setup: ProbeSetup, workload: Workload, slots: Sequence[str], scratch: Path, arms: list[Arm]
) -> None:
    """Start all processes at once, and add each to ``arms``, in the order of the slots.

    A later start is an advantage: of three identical processes, the last embedded a text in 0.94 of the time
    of the others when two started before it, in 0.93 when they started in sequence, and in 0.99 to 1 when all
    started at once (2026-11).

    File names contain the slot, not the arm: the length of a path moves the stack of a process, and so
    changes its speed.
    """

    async def start(slot: int, name: str) -> None:
        workdir = scratch / f"slot-{slot}"
        workdir.mkdir()
        spec = setup.make_spec(name, workload, workdir)
        python, log = setup.environments[name].python, _log_path(scratch, slot)
        begin = Start(python, setup.material, spec, workdir / "spec.json", log, PROBE)
        try:
            process = await CellProcess.start(begin, setup.limits, setup.watch, discard)
        except OSError as error:
            raise InvalidBlockError(
                f"{name}: the interpreter cannot be started: {describe_os_error(error, workdir)}", (name,)
            ) from error
        arm = Arm(name, process)
        arms.append(arm)
        await arm.attempt(_wait_ready)

    try:
        async with asyncio.TaskGroup() as group:
            for slot, name in enumerate(slots):
                group.create_task(start(slot, name))
    except* InvalidBlockError as errors:
        raise errors.exceptions[0] from None
    arms.sort(key=lambda arm: slots.index(arm.name))
    _check_running(arms)


async def _wait_ready(process: CellProcess) -> bool:
    await wait_until_ready(process)
    return True


async def _check_files(setup: ProbeSetup, arms: Iterable[Arm]) -> None:
    """Reject a block if files changed that its processes use."""
    edits = {arm.name: await arm.process.find_edits() for arm in arms}
    if shared := await asyncio.to_thread(setup.inputs.find_edits):
        raise InvalidBlockError(f"{', '.join(shared[:3])} changed during the block")
    messages = [
        f"{name}: {', '.join(found)} changed during the block" for name, found in edits.items() if found
    ]
    if messages:
        raise InvalidBlockError("; ".join(messages), [name for name, found in edits.items() if found])


def _check_running(arms: Iterable[Arm]) -> None:
    ended = [(arm.name, arm.ended.reason) for arm in arms if arm.ended is not None]
    if ended:
        raise InvalidBlockError(
            "; ".join(f"{name}: {reason}" for name, reason in ended), [e[0] for e in ended]
        )


def _take_values(scenario: str, arms: Sequence[Arm], timed: dict[str, protocol.Timed]) -> dict[str, float]:
    """The value of each arm in seconds per call, as in ``Block``."""
    missing = [arm for arm in arms if arm.name not in timed]
    if missing:
        reasons = (arm.process.record.untimed.get(scenario, "it was not measured") for arm in missing)
        messages = [f"{arm.name}: {scenario}: {reason}" for arm, reason in zip(missing, reasons, strict=True)]
        raise InvalidBlockError("; ".join(messages), [arm.name for arm in missing], scenario)
    shapes = {(one.iterations, len(one.rounds)) for one in timed.values()}
    if len(shapes) > 1 or (0 in next(iter(shapes))):
        raise InvalidBlockError(f"{scenario}: the arms measured different rounds: {sorted(shapes)}")
    for name, one in timed.items():
        invalid = [seconds for seconds in one.rounds if not (math.isfinite(seconds) and seconds > 0)]
        if invalid:
            raise InvalidBlockError(f"{name}: {scenario}: invalid time of a call: {invalid[0]} s", (name,))
    effects = compare_rounds({name: one.rounds for name, one in timed.items()})
    typical = statistics.median(timed[BASELINE].rounds)
    return {name: typical * math.exp(effect - effects[BASELINE]) for name, effect in effects.items()}


def _read_peak(arm: Arm) -> float:
    peak = arm.process.record.peak_rss
    if peak <= 0:
        raise InvalidBlockError(f"{arm.name}: invalid peak memory: {peak} bytes", (arm.name,))
    return float(peak)


def _log_path(scratch: Path, slot: int) -> Path:
    return scratch / f"slot-{slot}.log"


def _keep_logs(
    setup: ProbeSetup, workload: Workload, number: int, slots: Sequence[str], scratch: Path
) -> None:
    """Keep the specs and logs of an invalid block, so that its processes can be run by hand."""
    for slot, name in enumerate(slots):
        stem = f"{workload.group}-{number}-{name}"
        copy_whole(scratch / f"slot-{slot}" / "spec.json", setup.log_folder / f"{stem}.json")
        copy_whole(_log_path(scratch, slot), setup.log_folder / f"{stem}.log", setup.material.secrets)
