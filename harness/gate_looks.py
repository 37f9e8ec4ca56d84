"""What a gate says of its quantities: at each look while it samples, and again from its blocks later."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.gate_records import Block, Quantity, QuantityDecision, Speed
from harness.judge.quantities import decide_quantity, judge_speed, samples_of, unmeasured
from harness.judge.sampling import Look, confidence_at, last_look, looks
from harness.run.estimates import estimate

LEFT_OPEN = frozenset({"undecided"})
"""Outcomes that more blocks may change; any other is final, so that nothing is looked at until it fits."""


@dataclass
class Verdicts:
    """The decisions of a gate as they grow."""

    planned: tuple[Quantity, ...]
    decided: dict[str, QuantityDecision] = field(default_factory=dict)
    looks: int = 0

    def open_in(self, group: str) -> tuple[Quantity, ...]:
        """Quantities of a group that are not decided yet."""
        return tuple(each for each in self.planned if each.group == group and self._is_open(each))

    def _is_open(self, quantity: Quantity) -> bool:
        decision = self.decided.get(quantity.id)
        return decision is None or decision.outcome in LEFT_OPEN

    def give_up(self, quantities: Sequence[Quantity], because: str, *, blocks: int = 0) -> None:
        """Nothing can be said of these."""
        for quantity in quantities:
            self.decided[quantity.id] = unmeasured(quantity, because, blocks=blocks)

    async def look(self, group: str, blocks: Sequence[Block], look: Look) -> None:
        """Decide what is open in a group, from its blocks up to now.

        Raises:
            MachineError: the statistics could not be had.
        """
        quantities = self.open_in(group)
        samples = samples_of(quantities, blocks)
        confidence = confidence_at(look, len(self.planned))
        intervals = await estimate(samples, confidence) if samples else {}
        for quantity in quantities:
            self.decided[quantity.id] = decide_quantity(quantity, blocks, intervals)
        self.looks += 1

    def sum_up(self, *, spent: float, budget: float) -> Speed:
        """All decisions; what was never looked at is undecided."""
        waiting = {
            each.id: QuantityDecision(quantity=each, outcome="undecided")
            for each in self.planned
            if each.id not in self.decided
        }
        return judge_speed(
            self.planned, waiting | self.decided, spent=round(spent, 1), budget=budget, looks=self.looks
        )


async def look_again(before: Speed, blocks: Sequence[Block]) -> Speed:
    """Decide once more, at the same looks, from the blocks that a gate left; nothing is measured.

    ``before`` says what was planned, and what could not be measured, which stays so.

    Raises:
        MachineError: the statistics could not be had.
    """
    verdicts = Verdicts(tuple(each.quantity for each in before.quantities))
    for each in before.quantities:
        if each.outcome == "unmeasured":
            verdicts.decided[each.quantity.id] = each
    for group, mine in _by_group(blocks).items():
        for look in _looks_over(len(mine)):
            if verdicts.open_in(group):
                await verdicts.look(group, mine[: look.blocks], look)
    groups = {block.group for block in blocks}
    gone = [each.quantity for each in before.quantities if each.blocks and each.quantity.group not in groups]
    verdicts.give_up(gone, "its blocks are gone from the folder of the gate")
    spent = max(before.spent, sum(block.seconds for block in blocks))
    return verdicts.sum_up(spent=spent, budget=before.budget)


def _by_group(blocks: Sequence[Block]) -> Mapping[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for block in blocks:
        found.setdefault(block.group, []).append(block)
    return found


def _looks_over(blocks: int) -> list[Look]:
    """The looks at so many blocks: those that were due, and one at what came after the last of them."""
    due = list(itertools.takewhile(lambda look: look.blocks <= blocks, looks()))
    last = last_look(blocks)
    return due if last is None else [*due, last]
