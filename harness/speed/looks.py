"""What a gate says of its quantities: at each look while it samples, and again from its blocks later."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.gate_records import Block, Quantity, QuantityDecision, Speed, VoidBlock
from harness.judge.quantities import decide_quantity, judge_speed, samples_of, unmeasured
from harness.judge.sampling import Look, confidence_at, last_look, looks
from harness.judge.void import concerns, hold_back, hold_for_now, tell_void

LEFT_OPEN = frozenset({"undecided"})
"""Outcomes that more blocks may change; any other is final, so that nothing is looked at until it fits."""

VOID_IN_A_ROW = 3
"""After so many void blocks of the same arms and scenario in a row, what they were to measure is given up."""


@dataclass
class Verdicts:
    """The decisions of a gate as they grow, and the blocks that could not be used."""

    planned: tuple[Quantity, ...]
    decided: dict[str, QuantityDecision] = field(default_factory=dict)
    looks: int = 0
    void: list[VoidBlock] = field(default_factory=list)
    in_a_row: Counter[tuple[str, tuple[str, ...], str]] = field(default_factory=Counter)

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

    def bear(self, void: VoidBlock, measured: int) -> None:
        """Count a void block of a group that has so many others; give up what is void again and again."""
        self.void.append(void)
        cause = void.group, void.arms, void.scenario
        self.in_a_row[cause] += 1
        if self.in_a_row[cause] >= VOID_IN_A_ROW:
            same = [each for each in self.void if (each.group, each.arms, each.scenario) == cause]
            lost = [each for each in self.open_in(void.group) if concerns(void, each)]
            self.give_up(lost, tell_void(same, measured), blocks=measured)

    def end_row(self, group: str) -> None:
        """A block of the group was not void."""
        for cause in [each for each in self.in_a_row if each[0] == group]:
            del self.in_a_row[cause]

    def look(self, group: str, blocks: Sequence[Block], look: Look) -> None:
        """Decide what is open in a group, from its blocks up to now.

        Raises:
            MachineError: a block holds a value that is no ratio.
        """
        from harness.judge.intervals import estimate  # noqa: PLC0415 - SciPy takes a second to import

        quantities = self.open_in(group)
        samples = samples_of(quantities, blocks)
        confidence = confidence_at(look, len(self.planned))
        intervals = estimate(samples, confidence)
        void = [each for each in self.void if each.number < blocks[-1].number]  # until now, also in hindsight
        for quantity in quantities:
            decision = decide_quantity(quantity, blocks, intervals)
            self.decided[quantity.id] = hold_for_now(decision, len(blocks), void)
        self.looks += 1

    def sum_up(self, *, spent: float, budget: float, measured: Mapping[str, int] | None = None) -> Speed:
        """All decisions, beside the void blocks of all; what was never looked at is undecided.

        ``measured`` tells how many blocks of each group were not void.
        """
        counts = measured or {}
        waiting = {
            each.id: QuantityDecision(quantity=each, outcome="undecided", blocks=counts.get(each.group, 0))
            for each in self.planned
            if each.id not in self.decided
        }
        final = {
            name: hold_back(each, counts.get(each.quantity.group, 0), self.void)
            for name, each in (waiting | self.decided).items()
        }
        return judge_speed(
            self.planned, final, spent=round(spent, 1), budget=budget, looks=self.looks, void=self.void
        )


def look_again(before: Speed, blocks: Sequence[Block], void: Sequence[VoidBlock] = ()) -> Speed:
    """Decide once more, at the same looks, from the blocks that a gate left; nothing is measured.

    ``before`` says what was planned, and what could not be measured, which stays so.

    Raises:
        MachineError: a block holds a value that is no ratio.
    """
    verdicts = Verdicts(tuple(each.quantity for each in before.quantities), void=list(void or before.void))
    for each in before.quantities:
        if each.outcome == "unmeasured":
            verdicts.decided[each.quantity.id] = each
    by_group = _by_group(blocks)
    for group, mine in by_group.items():
        for look in _looks_over(len(mine)):
            if verdicts.open_in(group):
                verdicts.look(group, mine[: look.blocks], look)
    gone = [e.quantity for e in before.quantities if e.blocks and e.quantity.group not in by_group]
    verdicts.give_up(gone, "its blocks are gone from the folder of the gate")
    seconds = [each.seconds for each in blocks] + [each.seconds for each in verdicts.void]
    spent = max(before.spent, sum(seconds))
    verdicts.looks = max(verdicts.looks, before.looks)  # what stays unmeasured was looked at too
    measured = {group: len(mine) for group, mine in by_group.items()}
    return verdicts.sum_up(spent=spent, budget=before.budget, measured=measured)


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
