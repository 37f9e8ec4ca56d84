"""Blocks of identical environments, measured by the gate itself: the noise that gates are simulated with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.gate.blocks import read_blocks
from harness.gate.measuring import measure_speed
from harness.gate.quantities import plan_quantities
from harness.records import Block, Notify
from proof.planted import World

NEVER_DECIDED = 1 + 1e-9
"""A threshold that no interval lies on one side of: the gate goes on until its budget is spent."""


async def record_blocks(
    world: World, folder: Path, seconds: float, notify: Notify, *, globs: Sequence[str] = ()
) -> tuple[Block, ...]:
    """Measure for so many seconds, shared by the groups as in a gate; return all blocks in ``folder``.

    All arms run from one environment: gates are simulated by drawing anew which process was which arm.

    A quantity whose A/A arm happens to fail is measured no longer, so late blocks lack it.

    Raises:
        HarnessError: the harness or the machine failed.
    """
    quantities = tuple(
        msgspec.structs.replace(each, threshold=NEVER_DECIDED)
        for each in plan_quantities(world.request.matrix, globs)
    )
    plan = world.plan_gate(world.baseline, f"record-{len(read_blocks(folder))}")
    await measure_speed(
        plan, world.request, quantities, world.settings, notify, budget=seconds, folder=folder
    )
    return read_blocks(folder)
