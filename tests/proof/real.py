"""Gates that are really run: the planted releases measured as the gate measures, one row kept of each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.gate.blocks import read_blocks
from harness.gate.measuring import measure_speed
from harness.gate.quantities import plan_quantities
from harness.judge.cost_verdict import add_speed
from harness.records import Block, Notify, Progress, Record, Speed, Verdict
from harness.sweep.machine import read_machine
from proof.code import digest_code
from proof.planted import STRICT, World

ROWS = "real.jsonl"

NORMALIZER_ONLY = ("normalize.*", "memory.normalizer")
"""What a gate with a planted slow-down measures: the embedding is the same in all releases."""

PLANTED_SECONDS = 120.0
"""Budget of such a gate: a slow-down has to be found within the time that its scenarios may take."""

STRICT_SECONDS = 600.0
"""Budget of one with a threshold below the default: what a user gives who sets one, the default of a gate."""

WARM_SECONDS = 10.0
"""Budget of what is measured for nothing before the first gate of a kind."""


class RealGate(Record, frozen=True, kw_only=True):
    """One gate that was run: outcomes and ratios by quantity, blocks and seconds by group.

    Looks and void blocks belong to no group, so their seconds are charged to each: never less than it took.
    ``machine`` is its class, ``code`` what it was measured and decided with.
    """

    percent: int
    number: int
    verdict: Verdict
    sentence: str
    outcomes: dict[str, str]
    blocks: dict[str, int]
    seconds: dict[str, float]
    spent: float  # of the whole gate
    ratios: dict[str, float]
    machine: str
    code: str

    def is_decided(self, group: str) -> bool:
        """Whether every quantity of a group has passed or regressed."""
        prefix = {"normalizer": "normalize.", "embedding": "embed."}[group]
        mine = [
            each for name, each in self.outcomes.items() if name.startswith(prefix) or name.endswith(group)
        ]
        return bool(mine) and all(each in {"passed", "regressed"} for each in mine)


async def run_gates(
    world: World, folder: Path, counts: Mapping[int, int], budget: float, notify: Notify
) -> tuple[RealGate, ...]:
    """Run what is not in ``folder`` yet, in turns, and return all rows that were asked for.

    Args:
        world: the planted releases.
        folder: every finished gate is a row there; one that was cut off, or was of other code, is run again.
        counts: by how many percent the candidate is slower -> how many gates.
        budget: seconds of a gate of identical environments.
        notify: told how far it is.

    Raises:
        HarnessError: the harness or the machine failed.
    """
    wanted = list(_in_turns(counts))
    code, rows = digest_code(), read_rows(folder)
    done = {(row.percent, row.number): row for row in rows if row.code == code}
    if len(done) < len(rows):
        note = f"{len(rows) - len(done)} gates were measured or decided by other code, and are not counted"
        notify(Progress(cell="", stage="note", note=note))
    warm: set[int] = set()
    for at, (percent, number) in enumerate(wanted, 1):
        if (percent, number) in done:
            continue
        if percent not in warm:
            await _warm(world, _make_place(folder / f"warm-{percent}"), percent, notify)
            warm.add(percent)
        note = f"gate {at} of {len(wanted)}: {percent}% slower, number {number}"
        notify(Progress(cell="", stage="note", note=note))
        place = _make_place(folder / f"gate-{percent}-{number}")
        row = await _run_gate(world, place, (percent, number), budget, notify)
        with (folder / ROWS).open("ab") as file:
            file.write(msgspec.json.encode(row) + b"\n")
        done[percent, number] = row
    return tuple(done[each] for each in wanted)


def read_rows(folder: Path) -> tuple[RealGate, ...]:
    """The gates that were finished; half a last line was being written when it was cut off.

    Raises:
        UsageError: a line that is no row.
    """
    path = folder / ROWS
    if not path.exists():
        return ()
    whole, _, rest = path.read_bytes().rpartition(b"\n")
    if rest:
        path.write_bytes(whole + b"\n" if whole else b"")  # so that the next row begins a line
    try:
        return tuple(msgspec.json.decode(line, type=RealGate) for line in whole.splitlines())
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path}: not as this version writes it ({error}); begin anew with --fresh"
        ) from None


def _make_place(folder: Path) -> Path:
    """An empty folder for a gate; what one that was cut off left in it is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


async def _warm(world: World, place: Path, percent: int, notify: Notify) -> None:
    """Run the processes of a release for nothing: in a gate its checks have run before.

    The first process of a new environment compiles what it imports, and was 14 % larger for that; one such
    block of 16 is enough to leave memory undecided at the first look.
    """
    await measure_speed(
        world.plan_gate(world.candidates[percent], place.name),
        world.request,
        plan_quantities(world.judged_by(percent), NORMALIZER_ONLY),
        world.settings,
        notify,
        budget=WARM_SECONDS,
        folder=place,
    )
    shutil.rmtree(place)


async def _run_gate(
    world: World, place: Path, which: tuple[int, int], budget: float, notify: Notify
) -> RealGate:
    percent, number = which
    quantities = plan_quantities(world.judged_by(percent), NORMALIZER_ONLY if percent else ())
    seconds = STRICT_SECONDS if percent in STRICT else PLANTED_SECONDS
    speed = await measure_speed(
        world.plan_gate(world.candidates[percent], place.name),
        world.request,
        quantities,
        world.settings,
        notify,
        budget=seconds if percent else budget,
        folder=place,
    )
    return make_row(percent, number, speed, read_blocks(place))


def make_row(percent: int, number: int, speed: Speed, blocks: tuple[Block, ...]) -> RealGate:
    """What is kept of a gate; correctness is taken to hold."""
    verdict, sentence, because = add_speed(("pass", "", ""), speed)
    groups = sorted({block.group for block in blocks})
    beside = max(0.0, speed.spent - sum(block.seconds for block in blocks))
    return RealGate(
        percent=percent,
        number=number,
        verdict=verdict,
        sentence=f"{sentence}: {because}" if because else sentence,
        outcomes={each.quantity.id: each.outcome for each in speed.quantities},
        blocks={group: sum(block.group == group for block in blocks) for group in groups},
        seconds={
            group: round(beside + sum(block.seconds for block in blocks if block.group == group), 1)
            for group in groups
        },
        spent=speed.spent,
        ratios={each.quantity.id: round(each.change.ratio, 4) for each in speed.quantities if each.change},
        machine=read_machine()["class"],
        code=digest_code(),
    )


def _in_turns(counts: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """One of each kind after the other, so that what is cut off half-way tells of all kinds."""
    for number in range(1, max(counts.values(), default=0) + 1):
        for percent, count in counts.items():
            if number <= count:
                yield percent, number
