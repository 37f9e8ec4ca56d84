"""The stages of the proof: a world, recorded blocks, simulated gates, real gates, counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.files import OwnedFolder, list_folder, remove_tree
from harness.gate.blocks import read_blocks
from harness.gate.quantities import plan_quantities
from harness.records import Block, Notify, Progress, Quantity
from harness.resolve.pip_settings import IndexSettings
from harness.store.store import Store
from harness.sweep.machine import read_machine
from proof.code import digest_code
from proof.goals import Row, judge_at_threshold, judge_pools, judge_real, judge_simulated, tell_machines
from proof.noise import KINDS, make_pool
from proof.planted import RELEASES, STRICT, World, make_world
from proof.real import NORMALIZER_ONLY, STRICT_SECONDS, run_gates
from proof.recording import record_blocks
from proof.simulation import Method, Setting, simulate
from proof.twin import make_twin

RECORDED, REAL = "recorded", "real"
_FORMS = {
    RECORDED: r"[0-9a-f]{16}(-[0-9a-f]{16})?|blocks\.jsonl",
    REAL: r"real\.jsonl|gate-[0-9]+-[0-9]+|warm-[0-9]+",
}
"""Folder of measurements -> what the proof calls what it puts there."""

SEED = 20
METHODS: tuple[Method, ...] = ("signed-rank", "t")
MADE_UP = 200
"""Blocks of a kind of made-up noise."""

Pools = dict[str, Sequence[Block]]


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        folder: where everything that is measured is kept.
        store: of the environments.
        gates: simulated gates of each kind.
        record: seconds of measured noise to simulate with.
        real: real gates of each kind.
        budget: seconds of a real gate of identical environments.
        fresh: what was measured before is removed.
    """

    folder: Path
    store: Store
    gates: int
    record: float
    real: int
    budget: float
    fresh: bool


async def prove(wanted: Wanted, settings: IndexSettings, notify: Notify) -> list[Row]:
    """Measure what is not there yet, and count.

    Raises:
        HarnessError: the harness or the machine failed.
    """
    world = await _prepare(wanted, settings, notify)
    quantities = plan_quantities(world.request.matrix)
    rows: list[Row] = []
    if wanted.gates:
        pools, used = await _measure_noise(wanted, world, quantities, notify)
        rows += judge_pools(quantities, used, {group: len(pool) for group, pool in pools.items()})
        for percent in RELEASES:
            _note(notify, f"simulating {wanted.gates} gates, {percent}% slower")
            setting, drawn = _plan_setting(percent, world, used, pools)
            rows += judge_simulated(percent, setting, simulate(setting, drawn, wanted.gates, SEED))
        rows += _simulate_at_threshold(used, pools, wanted.gates, notify)
    if wanted.real:
        await make_twin(world.candidates[0], world.request, world.settings, lambda text: _note(notify, text))
        counts = dict.fromkeys(RELEASES, wanted.real)
        found = await run_gates(world, wanted.folder / REAL, counts, wanted.budget, notify)
        for percent in RELEASES:
            rows += judge_real(percent, [row for row in found if row.percent == percent])
        rows.append(tell_machines(found))
    return rows


def _plan_setting(
    percent: int, world: World, used: tuple[Quantity, ...], pools: Pools
) -> tuple[Setting, Pools]:
    """What is simulated, and of which blocks: as the real gate of this slow-down is judged."""
    if percent not in STRICT:
        return Setting(used, slower=1 + percent / 100), pools
    names = {each.id for each in used}
    planned = plan_quantities(world.judged_by(percent), NORMALIZER_ONLY)
    mine = tuple(each for each in planned if each.id in names)
    setting = Setting(mine, slower=1 + percent / 100, seconds=STRICT_SECONDS)
    return setting, {group: pool for group, pool in pools.items() if group == "normalizer"}


def _simulate_at_threshold(used: tuple[Quantity, ...], pools: Pools, gates: int, notify: Notify) -> list[Row]:
    """Gates whose normalizer is slower by just what is allowed: there any decision is wrong."""
    mine = [each for each in used if (each.group, each.unit) == ("normalizer", "s")]
    if not mine or "normalizer" not in pools:
        return []
    setting = Setting(used, slower=mine[0].threshold)
    _note(notify, f"simulating {gates} gates, slower by the threshold")
    found = simulate(setting, {"normalizer": pools["normalizer"]}, gates, SEED)
    return [judge_at_threshold(setting, found)]


async def choose(wanted: Wanted, settings: IndexSettings, notify: Notify) -> list[Row]:
    """Count with both intervals, on what was measured of the normalizer and on made-up noise; no goals.

    Raises:
        HarnessError: the harness or the machine failed.
    """
    world = await _prepare(wanted, settings, notify)
    quantities = plan_quantities(world.request.matrix)
    measured, used = await _measure_noise(wanted, world, quantities, notify)
    mine = [each for each in quantities if each.group == "normalizer"]
    pools: dict[str, Pools] = {}
    if "normalizer" in measured:
        pools["measured"] = {"normalizer": measured["normalizer"]}
    pools |= {kind: {"normalizer": make_pool(kind, mine, MADE_UP, SEED)} for kind in KINDS}
    rows = []
    for name, pool in pools.items():
        for percent in sorted(RELEASES.keys() - STRICT):
            for method in METHODS:
                _note(notify, f"simulating {wanted.gates} gates, {name}, {percent}% slower, {method}")
                chosen = tuple(each for each in mine if name != "measured" or each in used)
                setting = Setting(chosen, slower=1 + percent / 100, method=method)
                gates = simulate(setting, pool, wanted.gates, SEED)
                for row in judge_simulated(percent, setting, gates):
                    told = row.what.replace("simulated", f"{name}, {method}")
                    rows.append(replace(row, what=told, goal="", holds=None))
    return rows


async def _prepare(wanted: Wanted, settings: IndexSettings, notify: Notify) -> World:
    make_folders(wanted)
    return await make_world(wanted.folder.absolute(), wanted.store, settings, notify)


def _is_measured(path: Path) -> bool:
    return re.fullmatch(_FORMS[path.parent.name], path.name) is not None and not path.is_symlink()


def _find_foreign(folder: Path) -> Path | None:
    return next((path for path in list_folder(folder) if not _is_measured(path)), None)


MEASURED = OwnedFolder("harness-proof.txt", "a folder of measurements of the proof", _find_foreign)


def make_folders(wanted: Wanted) -> None:
    """The folder may be anybody's: only what the proof itself has put there is ever removed.

    Raises:
        UsageError: something else lies where measurements are kept.
    """
    for name in (RECORDED, REAL):
        MEASURED.claim(wanted.folder / name)
        for path in list_folder(wanted.folder / name, MEASURED.marker) if wanted.fresh else ():
            if _is_measured(path) and path.is_dir():
                remove_tree(path)
            elif _is_measured(path):
                path.unlink()
    for name in (noise_folder(), REAL):
        (wanted.folder / name).mkdir(parents=True, exist_ok=True)


def noise_folder() -> str:
    """Noise of two kinds of machine, or of two ways to measure, would say nothing of either.

    A real gate is whole in itself, so those of several machines may be counted together.
    """
    return f"{RECORDED}/{read_machine()['class']}-{digest_code()}"


async def _measure_noise(
    wanted: Wanted, world: World, quantities: Sequence[Quantity], notify: Notify
) -> tuple[Pools, tuple[Quantity, ...]]:
    """Blocks by group, recorded first where there are not enough, and the quantities that all of them have.

    A quantity whose A/A arm failed while it was recorded is in no later block: it is left out, and told,
    rather than the blocks, which would be the same as to end the recording there.
    """
    folder = wanted.folder / noise_folder()
    blocks = read_blocks(folder)
    lacking = wanted.record - sum(block.seconds for block in blocks)
    if lacking > wanted.record / 20:
        _note(notify, f"measuring the noise of identical environments for {lacking:.0f} s")
        blocks = await record_blocks(world, folder, lacking, notify)
    pools: Pools = {}
    for group in ("normalizer", "embedding"):
        mine = [block for block in blocks if block.group == group]
        _note(notify, f"{len(mine)} blocks of the {group} to simulate with")
        if mine:
            pools[group] = mine
    return pools, find_measured(quantities, pools)


def find_measured(
    quantities: Sequence[Quantity], pools: Mapping[str, Sequence[Block]]
) -> tuple[Quantity, ...]:
    """The quantities that every block of their group has; those of a group without blocks stay planned."""
    return tuple(
        each
        for each in quantities
        if all(
            each.id in arm
            for block in pools.get(each.group, ())
            for arm in (block.baseline, block.again, block.candidate)
        )
    )


def _note(notify: Notify, text: str) -> None:
    notify(Progress(cell="", stage="note", note=text))
