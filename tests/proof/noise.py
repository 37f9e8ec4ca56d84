"""Made-up noise, worse than what was measured: with it the choice of the interval is tried."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from harness.records import Block, Quantity

SHARED, OWN = 0.02, 0.02
"""Standard deviations of the log of a process: what all its scenarios share, and what each has for itself."""

SLOW_MODE = math.log(1.7)

Three = tuple[float, float, float]
Draw = Callable[[random.Random], Three]


def _alone(draw: Callable[[random.Random], float]) -> Draw:
    """Noise of which no process knows that of another."""
    return lambda rng: (draw(rng), draw(rng), draw(rng))


def _in_the_way(rng: random.Random) -> Three:
    """Two that get into each other's way, in one block of 15; see ``judge.quantity_decision``."""
    slower = [math.log(1.3), math.log(1.3), 0.0] if rng.random() < 1 / 15 else [0.0] * 3
    rng.shuffle(slower)
    first, second, third = (each + rng.gauss(0, SHARED) for each in slower)
    return first, second, third


KINDS: dict[str, Draw] = {
    "normal": _alone(lambda rng: rng.gauss(0, SHARED)),
    "1 process in 100 takes 1.7 times": _alone(
        lambda rng: rng.gauss(0, SHARED) + SLOW_MODE * (rng.random() < 0.01)
    ),
    "1 process in 10 takes 1.7 times": _alone(
        lambda rng: rng.gauss(0, SHARED) + SLOW_MODE * (rng.random() < 0.1)
    ),
    "every other process takes 1.1 times": _alone(lambda rng: math.log(1.1) * (rng.random() < 0.5)),
    "two of three take 1.3 times in 1 block of 15": _in_the_way,
    "heavy tails": _alone(lambda rng: 0.02 * math.copysign(rng.paretovariate(2) - 1, rng.random() - 0.5)),
}
"""What the processes of a block are slower by, as logs, in all their scenarios."""


def make_pool(kind: str, quantities: Sequence[Quantity], blocks: int, seed: int) -> list[Block]:
    """Blocks of identical environments with noise of this kind, two seconds each."""
    rng = random.Random(f"{kind} {seed}")  # noqa: S311 - a simulation, seeded to be run again
    return [_make_block(KINDS[kind](rng), quantities, number, rng) for number in range(1, blocks + 1)]


def _make_block(shared: Three, quantities: Sequence[Quantity], number: int, rng: random.Random) -> Block:
    baseline, again, candidate = (
        {quantity.id: math.exp(each + rng.gauss(0, OWN)) for quantity in quantities} for each in shared
    )
    return Block(
        group=quantities[0].group,
        number=number,
        slots=("baseline", "again", "candidate"),
        baseline=baseline,
        again=again,
        candidate=candidate,
        seconds=2.0,
    )
