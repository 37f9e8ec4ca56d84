"""Set up the latency measurement: environments, converted models, limits, the order of arms."""

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

# Shared by the blocks of a gate: environments, limits, the order of slots and turns

ARMS = (BASELINE, AGAIN, CANDIDATE)

SETUP_SECONDS = 60.0
TURN_SECONDS = 20.0
EXIT_SECONDS = 10.0


@dataclass(frozen=True)
class ArmEnvironment:
    """The environment of one arm; ``converted`` is the folder of the converted model."""

    python: Path
    lock: Lock
    converted: Path | None = None


@dataclass(frozen=True)
class Workload:
    """The scenarios that a block runs, and the ids of the quantities to keep."""

    group: Group
    scenarios: tuple[ScenarioPlan, ...]
    quantities: frozenset[str]


@dataclass(frozen=True)
class ProbeSetup:
    """Everything that the blocks of a gate share.

    Attributes:
        environments: by arm.
        rng: draws the order of slots and turns; seeded, so that the order can be repeated.
        log_folder: for the specs and logs of invalid blocks.
        inputs: files that all processes share and none may change.
    """

    material: CellInputs
    environments: Mapping[str, ArmEnvironment]
    limits: Limits
    watch: Watch
    rng: random.Random
    log_folder: Path
    inputs: SharedFiles

    def make_spec(self, arm: str, workload: Workload, workdir: Path) -> CellSpec:
        """The specification of the probe process of an arm."""
        environment = self.environments[arm]
        return replace(
            self.material.make_spec(arm, environment.lock, workdir, ("latency",)),
            scenarios=tuple(scenario.id for scenario in workload.scenarios),
            converted=None if environment.converted is None else str(environment.converted),
        )


def draw_slots(rng: random.Random) -> Iterator[tuple[str, ...]]:
    """Yield the order in which the arms are started, block by block.

    Each random order is followed by its reverse, so that the first arm of one block is the last of the next.
    """
    while True:
        drawn = tuple(rng.sample(ARMS, len(ARMS)))
        yield drawn
        yield drawn[::-1]


def tighten_limits(limits: Limits) -> Limits:
    """The limits of a probe process: those of a cell, lowered because it does less."""
    return replace(
        limits,
        setup=min(limits.setup, SETUP_SECONDS),
        turn=min(limits.turn, TURN_SECONDS),
        exit=min(limits.exit, EXIT_SECONDS),
    )


Log = Callable[[str], None]

LOG_FOLDER = "probes"
"""Within the folder of a gate: specs and logs of failed probe processes."""


@dataclass(frozen=True)
class SetupResult:
    """The setup, and why the model cannot be converted; empty if it can, or need not."""

    setup: ProbeSetup
    unconverted: str = ""


async def set_up(  # noqa: PLR0913 - one parameter an ingredient
    stack: AsyncExitStack,
    plan: Plan,
    request: Request,
    settings: IndexSettings,
    log: Log,
    *,
    embeds: bool,
    folder: Path,
) -> SetupResult:
    """Create both environments in parallel and, with ``embeds``, convert the model in each.

    Environments and models are in use until ``stack`` is closed.

    Raises:
        StoreError: an environment cannot be created, or the model is unavailable.
        UsageError: a local model differs from the matrix.
    """
    begun = time.monotonic()
    installer = make_installer(settings, downloads=request.python_downloads)
    material = await prepare_inputs(
        *(request.matrix, request.store, installer, log, stack), golden=None, isolation=request.isolation
    )
    converted = ConvertedStore(request.store, material, request.options.limits.contract)
    builder = _Builder(make_environments(request.store, installer), converted if embeds else None, stack, log)
    cells = {planned.cell.id: planned for planned in plan.cells}
    async with asyncio.TaskGroup() as group:
        before = group.create_task(builder.make(cells[BASELINE]))
        after = group.create_task(builder.make(cells[CANDIDATE]))
    log(f"latency: environments and models are ready after {time.monotonic() - begun:.1f} s")
    (old, old_reason), (new, new_reason) = before.result(), after.result()
    setup = ProbeSetup(
        material=material,
        environments={BASELINE: old, AGAIN: old, CANDIDATE: new},
        limits=tighten_limits(request.options.limits),
        watch=await stack.enter_async_context(Watch(request.options.container)),
        rng=random.Random(f"{request.options.seed} {plan.run}"),  # noqa: S311 - the order is not secret
        log_folder=folder / LOG_FOLDER,
        inputs=SharedFiles.of(material, *(arm.converted for arm in (old, new) if arm.converted is not None)),
    )
    return SetupResult(setup, old_reason or new_reason)


@dataclass(frozen=True)
class _Builder:
    """Creates the environment of an arm; ``converted`` is None if no model is needed."""

    environments: EnvironmentStore
    converted: ConvertedStore | None
    stack: AsyncExitStack
    log: Log

    async def make(self, planned: PlannedCell) -> tuple[ArmEnvironment, str]:
        """Create the environment of a cell; the text is why its model could not be converted."""
        name, lock = planned.cell.id, planned.lock
        use = self.environments.use(planned.cell, lock, self.log)
        python = await self.stack.enter_async_context(use)
        if self.converted is None:
            return ArmEnvironment(python, lock), ""
        try:
            model = await self.stack.enter_async_context(self.converted.use(name, lock, python, self.log))
        except StoreError as error:
            return ArmEnvironment(python, lock), str(error)
        return ArmEnvironment(python, lock, model), ""
