"""One block: a fresh probe process per arm, rounds in turns; and the journal that keeps blocks."""

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
from harness.gate.probes import Rig, Work
from harness.held import temporary_folder
from harness.input_files import MAX_RESULTS, read_input
from harness.records import BASELINE, UNREADABLE, Block, InvalidBlock, discard
from harness.sweep import protocol
from harness.sweep.cell_process import CellProcess, Start
from harness.sweep.latency_phase import wait_until_ready
from harness.sweep.latency_turns import Arm, Turns, count_rounds_to_decide, draw_core

# What one number a process comes of the rounds that the processes of a block took in turns. Pure.

BESIDE = 1
"""A round is compared with those of the same number and of up to so many before and after."""


def compare_rounds(rounds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """How much longer than the others each process takes, as the log of a ratio; all of them add up to 0.

    Any two processes are compared by the median of the logs of the ratios of rounds that ran beside each
    other; of that the effects of all are taken by least squares, which for a comparison of each with each is
    the mean. A stranger who slows the machine down for a moment falls into rounds that are beside each other
    alike, or into few of their ratios.

    Whoever is called what, the numbers stay with the processes. So where two are alike the difference of
    their effects is symmetric about 0, which is what the intervals rest on.

    Root mean square of the difference of two effects of identical processes against that of the median ratio
    of rounds with the same number, on a machine whose cores had a busy stranger on their other hyperthread
    (15 and 52 blocks, 2026-11): one text 0.020 against 0.023, 8 texts 0.030 and 0.042, 32 texts 0.030 and
    0.035, 256 float16 rows 0.016 and 0.021, 4096 of them 0.054 and 0.061; one float32 row 0.029 and 0.032.

    Args:
        rounds: of each process, seconds per call, in the order in which they were taken; as many of each.
    """
    logs = {name: [math.log(seconds) for seconds in each] for name, each in rounds.items()}
    return {
        name: sum(_differ(mine, theirs) for other, theirs in logs.items() if other != name) / len(logs)
        for name, mine in logs.items()
    }


def _differ(mine: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(
        each - other
        for number, each in enumerate(mine)
        for other in theirs[max(0, number - BESIDE) : number + BESIDE + 1]
    )


# The blocks of a gate in a file, one line each, as they are measured: a gate that is cut off leaves them.

BLOCKS = "blocks.jsonl"


def append_block(folder: Path, block: Block | InvalidBlock) -> None:
    """Write one more line, of a block that is void too, and see that it is on the disk.

    Raises:
        OSError: no room, no permission.
    """
    path = folder / BLOCKS
    with naming(path), path.open("ab") as file:
        file.write(msgspec.json.encode(block) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_blocks(folder: Path) -> tuple[Block, ...]:
    """The blocks that were measured, in their order; half a last line was being written when it was cut off.

    Raises:
        UsageError: a line that is no block.
    """
    return tuple(each for each in _read_lines(folder) if isinstance(each, Block))


def read_invalid_blocks(folder: Path) -> tuple[InvalidBlock, ...]:
    """The blocks that were void, in their order; none in a folder of before they were written.

    Raises:
        UsageError: a line that is no block.
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
    """A block of which nothing can be used, because of these ``arms``.

    ``scenario`` is what could not be measured, if it was that and no process that ended.
    """

    def __init__(self, reason: str, arms: Sequence[str] = (), scenario: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.arms = tuple(arms)
        self.scenario = scenario


async def measure_block(rig: Rig, work: Work, number: int, slots: Sequence[str]) -> Block:
    """Measure one block; of every process one number a quantity is kept.

    Raises:
        InvalidBlockError: a process died, hung, sent something unexpected, or could not measure a scenario.
        OSError: the machine has no room for its files.
    """
    begun = time.monotonic()
    with temporary_folder("probe") as scratch:
        values = await _measure(rig, work, number, slots, scratch)
    wanted = {
        name: {id_: value for id_, value in found.items() if id_ in work.wanted}
        for name, found in values.items()
    }
    seconds = round(time.monotonic() - begun, 3)
    return Block(group=work.group, number=number, slots=tuple(slots), seconds=seconds, **wanted)


async def _measure(
    rig: Rig, work: Work, number: int, slots: Sequence[str], scratch: Path
) -> dict[str, dict[str, float]]:
    """Of every arm one number a quantity; every process is ended, whatever happens."""
    arms: list[Arm] = []
    try:
        await _start_all(rig, work, slots, scratch, arms)
        core = draw_core(rig.order, rig.material.threads)
        values: dict[str, dict[str, float]] = {arm.name: {} for arm in arms}
        for scenario in work.scenarios:
            timed = await Turns(scenario, rig.order, core, count_rounds_to_decide).measure(arms)
            _see_whole(arms)
            for name, value in _take_values(scenario.id, arms, timed).items():
                values[name][scenario.id] = value
        await asyncio.gather(*(arm.leave() for arm in arms))
        _see_whole(arms)
        await _see_unedited(rig, arms)
        for arm in arms:
            values[arm.name][f"memory.{work.group}"] = _peak(arm)
    except InvalidBlockError:
        _keep_logs(rig, work, number, slots, scratch)
        raise
    finally:
        await asyncio.gather(*(arm.process.end() for arm in arms))
    return values


async def _start_all(rig: Rig, work: Work, slots: Sequence[str], scratch: Path, arms: list[Arm]) -> None:
    """Start the processes, all at once; all that were started are in ``arms``, in the order of their slots.

    At once, though they slow down each other: of three equal ones that started two and one the last embedded
    a text in 0.94 of the time of the others, one after the other in 0.93, all at once in 0.99 to 1 (2026-11).

    Names of files tell the slot and not the arm: the length of a path moves the stack of a process, and with
    it its speed, so that arms with longer names would not be alike.
    """

    async def start(slot: int, name: str) -> None:
        workdir = scratch / f"slot-{slot}"
        workdir.mkdir()
        spec = rig.make_spec(name, work, workdir)
        outfit = rig.outfits[name]
        begin = Start(
            outfit.python, rig.material.suite, spec, workdir / "spec.json", _log(scratch, slot), PROBE
        )
        try:
            process = await CellProcess.start(begin, rig.limits, rig.watch, discard)
        except OSError as error:
            raise InvalidBlockError(
                f"{name}: its interpreter cannot be started: {describe_os_error(error, workdir)}", (name,)
            ) from error
        arm = Arm(name, process)
        arms.append(arm)
        await arm.attempt(_get_first)

    try:
        async with asyncio.TaskGroup() as group:
            for slot, name in enumerate(slots):
                group.create_task(start(slot, name))
    except* InvalidBlockError as void:
        raise void.exceptions[0] from None
    arms.sort(key=lambda arm: slots.index(arm.name))
    _see_whole(arms)


async def _get_first(process: CellProcess) -> bool:
    await wait_until_ready(process)
    return True


async def _see_unedited(rig: Rig, arms: Iterable[Arm]) -> None:
    """Nothing counts of a block in which files changed that its processes were given."""
    edits = {arm.name: await arm.process.find_edits() for arm in arms}
    if shared := await asyncio.to_thread(rig.inputs.find_edits):
        raise InvalidBlockError(f"{', '.join(shared[:3])} changed while it ran")
    told = [f"{name}: {', '.join(found)} changed while it ran" for name, found in edits.items() if found]
    if told:
        raise InvalidBlockError("; ".join(told), [name for name, found in edits.items() if found])


def _see_whole(arms: Iterable[Arm]) -> None:
    ended = [(arm.name, arm.ended.reason) for arm in arms if arm.ended is not None]
    if ended:
        raise InvalidBlockError(
            "; ".join(f"{name}: {reason}" for name, reason in ended), [e[0] for e in ended]
        )


def _take_values(scenario: str, arms: Sequence[Arm], timed: dict[str, protocol.Timed]) -> dict[str, float]:
    """Of each arm one number, in seconds per call: see ``Block``."""
    left_out = [arm for arm in arms if arm.name not in timed]
    if left_out:
        whys = (arm.process.record.untimed.get(scenario, "it was left out") for arm in left_out)
        told = [f"{arm.name}: {scenario}: {why}" for arm, why in zip(left_out, whys, strict=True)]
        raise InvalidBlockError("; ".join(told), [arm.name for arm in left_out], scenario)
    shapes = {(one.iterations, len(one.rounds)) for one in timed.values()}
    if len(shapes) > 1 or (0 in next(iter(shapes))):
        raise InvalidBlockError(f"{scenario}: the arms did not measure the same rounds: {sorted(shapes)}")
    for name, one in timed.items():
        odd = [seconds for seconds in one.rounds if not (math.isfinite(seconds) and seconds > 0)]
        if odd:
            raise InvalidBlockError(f"{name}: {scenario}: it said that a call takes {odd[0]} s", (name,))
    effects = compare_rounds({name: one.rounds for name, one in timed.items()})
    typical = statistics.median(timed[BASELINE].rounds)
    return {name: typical * math.exp(effect - effects[BASELINE]) for name, effect in effects.items()}


def _peak(arm: Arm) -> float:
    peak = arm.process.record.peak_rss
    if peak <= 0:
        raise InvalidBlockError(f"{arm.name}: it said that its peak of memory is {peak} bytes", (arm.name,))
    return float(peak)


def _log(scratch: Path, slot: int) -> Path:
    return scratch / f"slot-{slot}.log"


def _keep_logs(rig: Rig, work: Work, number: int, slots: Sequence[str], scratch: Path) -> None:
    """Keep specs and logs of a void block: with them a person can run its processes by hand."""
    for slot, name in enumerate(slots):
        stem = f"{work.group}-{number}-{name}"
        copy_whole(scratch / f"slot-{slot}" / "spec.json", rig.kept / f"{stem}.json")
        copy_whole(_log(scratch, slot), rig.kept / f"{stem}.log")
