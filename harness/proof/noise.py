"""Made-up noise, worse than what was measured: with it the choice of the interval is tried."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from harness.gate_records import Block, Quantity

SHARED, OWN = 0.02, 0.02
"""Standard deviations of the log of a process: what all its scenarios share, and what each has for itself."""

SLOW_MODE = math.log(1.7)

Draw = Callable[[random.Random], float]

KINDS: dict[str, Draw] = {
    "normal": lambda rng: rng.gauss(0, SHARED),
    "1 process in 100 takes 1.7 times": lambda rng: rng.gauss(0, SHARED) + SLOW_MODE * (rng.random() < 0.01),
    "1 process in 10 takes 1.7 times": lambda rng: rng.gauss(0, SHARED) + SLOW_MODE * (rng.random() < 0.1),
    "every other process takes 1.1 times": lambda rng: math.log(1.1) * (rng.random() < 0.5),
    "heavy tails": lambda rng: 0.02 * math.copysign(rng.paretovariate(2) - 1, rng.random() - 0.5),
}
"""What a process is slower by, as a log, in all its scenarios."""


def make_pool(kind: str, quantities: Sequence[Quantity], blocks: int, seed: int) -> list[Block]:
    """Blocks of identical environments with noise of this kind, two seconds each."""
    rng = random.Random(f"{kind} {seed}")  # noqa: S311 - a simulation, seeded to be run again
    group = quantities[0].group

    def process() -> dict[str, float]:
        shared = KINDS[kind](rng)
        return {each.id: math.exp(shared + rng.gauss(0, OWN)) for each in quantities}

    slots = ("baseline", "again", "candidate")
    return [
        Block(
            group=group,
            number=number,
            slots=slots,
            baseline=process(),
            again=process(),
            candidate=process(),
            seconds=2.0,
        )
        for number in range(1, blocks + 1)
    ]
