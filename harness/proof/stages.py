"""The stages of the proof: a world, recorded blocks, simulated gates, real gates, counts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.gate_records import Block, Quantity
from harness.pipeline import Notify
from harness.plan.pip_settings import IndexSettings
from harness.plan.quantities import plan_quantities
from harness.proof.goals import Row, judge_real, judge_simulated
from harness.proof.noise import KINDS, make_pool
from harness.proof.planted import RELEASES, World, make_world
from harness.proof.real import run_gates
from harness.proof.recording import record_blocks
from harness.proof.simulation import Method, Setting, simulate
from harness.records import Progress
from harness.run.probing.journal import read_blocks
from harness.run.store import Store

RECORDED, REAL = "recorded", "real"
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
    pools = await _measure_noise(wanted, world, quantities, notify)
    rows: list[Row] = []
    for percent in RELEASES if wanted.gates else ():
        _note(notify, f"simulating {wanted.gates} gates, {percent}% slower")
        setting = Setting(quantities, slower=1 + percent / 100)
        gates = await simulate(setting, pools, wanted.gates, SEED)
        rows += judge_simulated(percent, setting, gates)
    if wanted.real:
        counts = dict.fromkeys(RELEASES, wanted.real)
        found = await run_gates(world, wanted.folder / REAL, counts, wanted.budget, notify)
        for percent in RELEASES:
            rows += judge_real(percent, [row for row in found if row.percent == percent])
    return rows


async def choose(wanted: Wanted, settings: IndexSettings, notify: Notify) -> list[Row]:
    """Count with both intervals, on what was measured of the normalizer and on made-up noise; no goals.

    Raises:
        HarnessError: the harness or the machine failed.
    """
    world = await _prepare(wanted, settings, notify)
    quantities = plan_quantities(world.request.matrix)
    mine = [each for each in quantities if each.group == "normalizer"]
    measured = await _measure_noise(wanted, world, quantities, notify)
    pools: dict[str, Pools] = {"measured": {"normalizer": measured["normalizer"]}}
    pools |= {kind: {"normalizer": make_pool(kind, mine, MADE_UP, SEED)} for kind in KINDS}
    rows = []
    for name, pool in pools.items():
        for percent in RELEASES:
            for method in METHODS:
                _note(notify, f"simulating {wanted.gates} gates, {name}, {percent}% slower, {method}")
                setting = Setting(tuple(mine), slower=1 + percent / 100, method=method)
                gates = await simulate(setting, pool, wanted.gates, SEED)
                verdict, *times = judge_simulated(percent, setting, gates)
                told = f"{name}, {method}{verdict.what.removeprefix('simulated')}"
                rows.append(replace(verdict, what=told, goal="", holds=None))
                rows += times
    return rows


async def _prepare(wanted: Wanted, settings: IndexSettings, notify: Notify) -> World:
    _make_folders(wanted)
    return await make_world(wanted.folder.absolute(), wanted.store, settings, notify)


def _make_folders(wanted: Wanted) -> None:
    """The folder may be anybody's: only what the proof itself has put there is ever removed."""
    for name in (RECORDED, REAL):
        if wanted.fresh:
            shutil.rmtree(wanted.folder / name, ignore_errors=True)
        (wanted.folder / name).mkdir(parents=True, exist_ok=True)


async def _measure_noise(
    wanted: Wanted, world: World, quantities: Sequence[Quantity], notify: Notify
) -> Pools:
    """Blocks by group, of which all quantities were measured; recorded first where there are not enough."""
    folder = wanted.folder / RECORDED
    blocks = read_blocks(folder)
    lacking = wanted.record - sum(block.seconds for block in blocks)
    if lacking > wanted.record / 20:
        _note(notify, f"measuring the noise of identical environments for {lacking:.0f} s")
        blocks = await record_blocks(world, folder, lacking, notify)
    pools: Pools = {}
    for group in ("normalizer", "embedding"):
        names = {each.id for each in quantities if each.group == group}
        whole = [
            block
            for block in blocks
            if block.group == group
            and all(names <= arm.keys() for arm in (block.baseline, block.again, block.candidate))
        ]
        _note(notify, f"{len(whole)} blocks of the {group} to simulate with")
        if whole:
            pools[group] = whole
    return pools


def _note(notify: Notify, text: str) -> None:
    notify(Progress(cell="", stage="note", note=text))
