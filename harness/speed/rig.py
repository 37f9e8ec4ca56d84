"""Sets up what the latency of a gate is measured with: environments, converted models, a watchman."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StoreError
from harness.gate_records import AGAIN, BASELINE, CANDIDATE
from harness.pipeline import Request
from harness.plan.pip_settings import IndexSettings
from harness.records import Plan, PlannedCell
from harness.run.environments import EnvironmentStore
from harness.run.inputs import Inputs
from harness.run.material import Material
from harness.run.prepare import make_environments, make_installer, prepare_material
from harness.run.probing.converted import ConvertedStore
from harness.run.probing.rig import Outfit, Rig, tighten
from harness.run.store import Store
from harness.run.watch import Watch

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
    material = await prepare_material(request.matrix, request.store, installer, say, golden=None)
    for entry in _shared_entries(request.store, material):
        stack.enter_context(request.store.using(entry))
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
        watch=await stack.enter_async_context(Watch()),
        order=random.Random(f"{request.options.seed} {plan.run}"),  # noqa: S311 - the order is no secret
        kept=folder / KEPT,
        inputs=Inputs.of(material, *(each.converted for each in (old, new) if each.converted is not None)),
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


def _shared_entries(store: Store, material: Material) -> Iterator[Path]:
    """Entries of the store that all processes use; a local model or a suite elsewhere is none."""
    if material.suite.folder.parent == store.suites:
        yield material.suite.folder
    if material.model_dir.parent == store.models:
        yield material.model_dir
