"""Set up what latency is measured with: environments, converted models, limits, the order of arms."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cell.interface import CellSpec
from harness.errors import StoreError
from harness.gate.quantities import Group
from harness.records import AGAIN, BASELINE, CANDIDATE, Lock, Plan, PlannedCell, ScenarioPlan
from harness.resolve.pip_settings import IndexSettings
from harness.store.converted import ConvertedStore
from harness.store.environments import EnvironmentStore
from harness.store.inputs import CellInputs, SharedFiles
from harness.store.models import make_environments, make_installer, prepare_inputs
from harness.sweep.limits import Limits, Watch
from harness.sweep.run_sweep import Request

# What the blocks of a gate share: environments, limits, the order of slots and of turns.

ARMS = (BASELINE, AGAIN, CANDIDATE)

SETUP_SECONDS = 60.0
TURN_SECONDS = 20.0
LEAVE_SECONDS = 10.0


@dataclass(frozen=True)
class Outfit:
    """What the processes of one arm are started with; ``converted`` is the folder of the converted model."""

    python: Path
    lock: Lock
    converted: Path | None = None


@dataclass(frozen=True)
class Work:
    """What the processes of a block do: scenarios of a group, and the quantities that are wanted of them."""

    group: Group
    scenarios: tuple[ScenarioPlan, ...]
    wanted: frozenset[str]


@dataclass(frozen=True)
class Rig:
    """What every block is measured with.

    Attributes:
        outfits: of each arm.
        order: of slots and turns; seeded, so that a gate can be run again in the same order.
        kept: folder for the specs and the logs of void blocks.
        inputs: files that all processes share, and none may change.
    """

    material: CellInputs
    outfits: Mapping[str, Outfit]
    limits: Limits
    watch: Watch
    order: random.Random
    kept: Path
    inputs: SharedFiles

    def make_spec(self, arm: str, work: Work, workdir: Path) -> CellSpec:
        """What the process of an arm is told."""
        outfit = self.outfits[arm]
        return replace(
            self.material.make_spec(arm, outfit.lock, workdir, ("latency",)),
            scenarios=tuple(scenario.id for scenario in work.scenarios),
            converted=None if outfit.converted is None else str(outfit.converted),
        )


def draw_slots(order: random.Random) -> Iterator[tuple[str, ...]]:
    """The arms in the order in which their processes are started, for block after block.

    Each drawn order is followed by its reverse, so that what is first in one block is last in the next.
    """
    while True:
        drawn = tuple(order.sample(ARMS, len(ARMS)))
        yield drawn
        yield drawn[::-1]


def tighten(limits: Limits) -> Limits:
    """The limits of a lean process: those of a cell, but it has less to do, and its time is the gate's."""
    return replace(
        limits,
        setup=min(limits.setup, SETUP_SECONDS),
        turn=min(limits.turn, TURN_SECONDS),
        exit=min(limits.exit, LEAVE_SECONDS),
    )


Say = Callable[[str], None]

KEPT = "probes"
"""In the folder of the gate: specs and logs of processes that ended as they should not."""


@dataclass(frozen=True)
class Setting:
    """A rig, and why nothing can be embedded with it; empty where that is possible or not asked for."""

    rig: Rig
    unconverted: str = ""


async def set_up(  # noqa: PLR0913 - one parameter an ingredient
    stack: AsyncExitStack,
    plan: Plan,
    request: Request,
    settings: IndexSettings,
    say: Say,
    *,
    embeds: bool,
    folder: Path,
) -> Setting:
    """Make both environments and, where something is embedded, convert the model in both, side by side.

    Everything is in use until ``stack`` is closed.

    Raises:
        StoreError: an environment cannot be made, or the model not be had.
        UsageError: a local model is not what the matrix says.
    """
    begun = time.monotonic()
    installer = make_installer(settings, downloads=request.python_downloads)
    material = await prepare_inputs(request.matrix, request.store, installer, say, stack, golden=None)
    converted = ConvertedStore(request.store, material, request.options.limits.contract)
    maker = _Maker(make_environments(request.store, installer), converted if embeds else None, stack, say)
    cells = {planned.cell.id: planned for planned in plan.cells}
    async with asyncio.TaskGroup() as group:
        before = group.create_task(maker.make(cells[BASELINE]))
        after = group.create_task(maker.make(cells[CANDIDATE]))
    say(f"latency: environments and models were ready after {time.monotonic() - begun:.1f} s")
    (old, old_reason), (new, new_reason) = before.result(), after.result()
    rig = Rig(
        material=material,
        outfits={BASELINE: old, AGAIN: old, CANDIDATE: new},
        limits=tighten(request.options.limits),
        watch=await stack.enter_async_context(Watch(request.options.container)),
        order=random.Random(f"{request.options.seed} {plan.run}"),  # noqa: S311 - the order is no secret
        kept=folder / KEPT,
        inputs=SharedFiles.of(
            material, *(each.converted for each in (old, new) if each.converted is not None)
        ),
    )
    return Setting(rig, old_reason or new_reason)


@dataclass(frozen=True)
class _Maker:
    """``converted`` is None where nothing is embedded."""

    environments: EnvironmentStore
    converted: ConvertedStore | None
    stack: AsyncExitStack
    say: Say

    async def make(self, planned: PlannedCell) -> tuple[Outfit, str]:
        """The outfit of a cell, and why its model could not be converted."""
        name, lock = planned.cell.id, planned.lock
        use = self.environments.use(planned.cell, lock, self.say)
        python = await self.stack.enter_async_context(use)
        if self.converted is None:
            return Outfit(python, lock), ""
        try:
            model = await self.stack.enter_async_context(self.converted.use(name, lock, python, self.say))
        except StoreError as error:
            return Outfit(python, lock), str(error)
        return Outfit(python, lock, model), ""
