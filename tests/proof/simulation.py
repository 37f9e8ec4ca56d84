"""Gates made of recorded blocks, decided by the code that decides real ones: looks, intervals, outcomes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from harness.judge.alpha_spending import (
    InterimAnalysis,
    compute_confidence,
    find_final_analysis,
    plan_analyses,
)
from harness.judge.intervals import estimate
from harness.judge.quantity_decision import collect_samples, decide_quantity, summarize_speed
from harness.records import Block, Interval, Quantity, QuantityDecision, Speed

Method = Literal["signed-rank", "t"]


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        quantities: all that the gate has planned, of both groups.
        slower: the latency of the candidate's normalizer is multiplied by this.
        seconds: what the blocks of each group may cost.
        method: of the intervals.
    """

    quantities: tuple[Quantity, ...]
    slower: float = 1.0
    seconds: float = 300.0
    method: Method = "signed-rank"


@dataclass
class Simulated:
    """One gate: its blocks by group as it draws them, and its decisions as they grow."""

    draws: dict[str, list[Block]]
    decided: dict[str, QuantityDecision] = field(default_factory=dict)
    looks: int = 0

    def open_in(self, group: str, planned: Sequence[Quantity]) -> tuple[Quantity, ...]:
        """What has to be looked at."""
        return tuple(each for each in planned if each.group == group and self._is_open(each))

    def _is_open(self, quantity: Quantity) -> bool:
        return quantity.id not in self.decided or self.decided[quantity.id].outcome == "undecided"

    def spent(self, group: str) -> float:
        """Seconds that the blocks of a group took until its last quantity was decided."""
        last = max((each.blocks for each in self.decided.values() if each.quantity.group == group), default=0)
        return sum(block.seconds for block in self.draws[group][:last])


def simulate(setting: Setting, pools: dict[str, Sequence[Block]], gates: int, seed: int) -> list[Simulated]:
    """Simulate so many gates over recorded blocks of identical environments, by group.

    A gate begins at a random block and goes on in the order of recording, round and round, so that what was
    noisy for a while stays so. Which of the three processes of a block is which arm is drawn anew: all were
    alike, and this is what makes them exactly so.

    """
    rng = random.Random(seed)  # noqa: S311 - a simulation, seeded to be run again
    simulated = [
        Simulated({group: _draw(setting, pool, rng) for group, pool in pools.items()}) for _ in range(gates)
    ]
    for group in pools:
        for look in plan_analyses():
            going = [gate for gate in simulated if _goes_on(gate, group, look, setting)]
            if not going:
                break
            _look(going, group, look, setting)
        for look, waiting in _cut_off(simulated, group, setting).items():
            _look(waiting, group, look, setting)
    return simulated


def sum_up(gate: Simulated, setting: Setting) -> Speed:
    """What the gate would have been left with."""
    spent = sum(gate.spent(group) for group in gate.draws)
    return summarize_speed(
        setting.quantities, gate.decided, spent=spent, budget=2 * setting.seconds, looks=gate.looks
    )


def _goes_on(gate: Simulated, group: str, look: InterimAnalysis, setting: Setting) -> bool:
    return look.blocks <= len(gate.draws[group]) and bool(gate.open_in(group, setting.quantities))


def _cut_off(
    gates: Sequence[Simulated], group: str, setting: Setting
) -> dict[InterimAnalysis, list[Simulated]]:
    """Gates whose time is over between two looks, by the look that they get."""
    found: dict[InterimAnalysis, list[Simulated]] = {}
    for gate in gates:
        look = find_final_analysis(len(gate.draws[group]))
        if look is not None and gate.open_in(group, setting.quantities):
            found.setdefault(look, []).append(gate)
    return found


def _look(gates: Sequence[Simulated], group: str, look: InterimAnalysis, setting: Setting) -> None:
    """Look at all of them at once."""
    wanted = [gate.open_in(group, setting.quantities) for gate in gates]
    seen = [gate.draws[group][: look.blocks] for gate in gates]
    samples: dict[str, Sequence[float]] = {}
    for number, (quantities, blocks) in enumerate(zip(wanted, seen, strict=True)):
        found = collect_samples(quantities, blocks)
        samples |= {f"{number} {name}": sample for name, sample in found.items()}
    confidence = compute_confidence(look, len(setting.quantities))
    answer = estimate(samples, confidence, method=setting.method)
    intervals: list[dict[str, Interval]] = [{} for _ in gates]
    for name, interval in answer.items():
        number_of, _, quantity_of = name.partition(" ")
        intervals[int(number_of)][quantity_of] = interval
    for gate, quantities, blocks, mine in zip(gates, wanted, seen, intervals, strict=True):
        gate.looks += 1
        for quantity in quantities:
            gate.decided[quantity.id] = decide_quantity(quantity, blocks, mine)


def _draw(setting: Setting, pool: Sequence[Block], rng: random.Random) -> list[Block]:
    """As many blocks as fit into the time."""
    drawn: list[Block] = []
    spent, start = 0.0, rng.randrange(len(pool))
    while True:
        block = pool[(start + len(drawn)) % len(pool)]
        spent += block.seconds
        if spent > setting.seconds:
            return drawn
        drawn.append(_shuffle(block, setting, rng))


def _shuffle(block: Block, setting: Setting, rng: random.Random) -> Block:
    baseline, again, candidate = rng.sample((block.baseline, block.again, block.candidate), 3)
    if setting.slower != 1 and block.group == "normalizer":
        units = {each.id: each.unit for each in setting.quantities}
        candidate = {
            name: value * (setting.slower if units.get(name) == "s" else 1)
            for name, value in candidate.items()
        }
    return msgspec.structs.replace(block, baseline=baseline, again=again, candidate=candidate)
