"""What the blocks of a gate share: environments, limits, the order of slots and of turns."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cell.spec import CellSpec
from harness.gate_records import AGAIN, BASELINE, CANDIDATE
from harness.plan.quantities import Group
from harness.records import Lock, ScenarioPlan
from harness.run.inputs import Inputs
from harness.run.material import Material
from harness.run.options import Limits
from harness.run.watch import Watch

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

    material: Material
    outfits: Mapping[str, Outfit]
    limits: Limits
    watch: Watch
    order: random.Random
    kept: Path
    inputs: Inputs

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
        leave=min(limits.leave, LEAVE_SECONDS),
    )
