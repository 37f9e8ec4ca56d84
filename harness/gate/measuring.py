"""Latency and memory of a gate: block after block until every quantity is decided."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.gate.blocks import InvalidBlockError, append_block, measure_block
from harness.gate.probes import Rig, Work, draw_slots, set_up
from harness.gate.quantities import EMBEDDING, NORMALIZER, Group, scenarios_of_group
from harness.judge.quantity_decision import (
    affects,
    collect_samples,
    decide_quantity,
    describe_invalid_blocks,
    limit_invalid,
    limit_invalid_so_far,
    make_unmeasured,
    summarize_speed,
)
from harness.judge.sampling import (
    InterimAnalysis,
    compute_confidence,
    find_final_analysis,
    find_next_analysis,
    plan_analyses,
)
from harness.matrix.schema import Matrix
from harness.records import (
    Block,
    InvalidBlock,
    Notify,
    Plan,
    Progress,
    Quantity,
    QuantityDecision,
    ScenarioPlan,
    Speed,
)
from harness.resolve.pip_settings import IndexSettings
from harness.sweep.interrupt import one_error
from harness.sweep.run_sweep import Request

# What a gate says of its quantities: at each look while it samples, and again from its blocks later.

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
    void: list[InvalidBlock] = field(default_factory=list)
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
            self.decided[quantity.id] = make_unmeasured(quantity, because, blocks=blocks)

    def bear(self, void: InvalidBlock, measured: int) -> None:
        """Count a void block of a group that has so many others; give up what is void again and again."""
        self.void.append(void)
        cause = void.group, void.arms, void.scenario
        self.in_a_row[cause] += 1
        if self.in_a_row[cause] >= VOID_IN_A_ROW:
            same = [each for each in self.void if (each.group, each.arms, each.scenario) == cause]
            lost = [each for each in self.open_in(void.group) if affects(void, each)]
            self.give_up(lost, describe_invalid_blocks(same, measured), blocks=measured)

    def end_row(self, group: str) -> None:
        """A block of the group was not void."""
        for cause in [each for each in self.in_a_row if each[0] == group]:
            del self.in_a_row[cause]

    def look(self, group: str, blocks: Sequence[Block], look: InterimAnalysis) -> None:
        """Decide what is open in a group, from its blocks up to now.

        Raises:
            MachineError: a block holds a value that is no ratio.
        """
        from harness.judge.intervals import estimate  # noqa: PLC0415 - SciPy takes a second to import

        quantities = self.open_in(group)
        samples = collect_samples(quantities, blocks)
        confidence = compute_confidence(look, len(self.planned))
        intervals = estimate(samples, confidence)
        void = [each for each in self.void if each.number < blocks[-1].number]  # until now, also in hindsight
        for quantity in quantities:
            decision = decide_quantity(quantity, blocks, intervals)
            self.decided[quantity.id] = limit_invalid_so_far(decision, len(blocks), void)
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
            name: limit_invalid(each, counts.get(each.quantity.group, 0), self.void)
            for name, each in (waiting | self.decided).items()
        }
        return summarize_speed(
            self.planned, final, spent=round(spent, 1), budget=budget, looks=self.looks, void=self.void
        )


def decide_from_blocks(before: Speed, blocks: Sequence[Block], void: Sequence[InvalidBlock] = ()) -> Speed:
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


def _looks_over(blocks: int) -> list[InterimAnalysis]:
    """The looks at so many blocks: those that were due, and one at what came after the last of them."""
    due = list(itertools.takewhile(lambda look: look.blocks <= blocks, plan_analyses()))
    last = find_final_analysis(blocks)
    return due if last is None else [*due, last]


FIRST_SHARE = 0.3
"""Of the budget, for the normalizer while the embedding waits; what is open then goes on after it.

On a machine that others kept busy one noisy quantity of the normalizer took half of ten minutes, and the
embedding, at 22 s a block instead of 7, never came to its first look (2026-11).
"""

MOST_TIME = 2
"""When few scenarios are left, each may take up to so many times as long: what is noisy gets the time of what
is decided, in a process that has been started anyway. No more, for blocks are what is counted.
"""

_OTHER = "another harness measures latency; this one goes on when that is over"


async def measure_speed(  # noqa: PLR0913 - one parameter an ingredient
    plan: Plan,
    request: Request,
    quantities: Sequence[Quantity],
    settings: IndexSettings,
    notify: Notify,
    *,
    budget: float,
    folder: Path,
) -> Speed:
    """Measure the cells ``baseline`` and ``candidate`` of a plan until all quantities are decided.

    Args:
        plan: its two cells, each with a lock.
        request: the matrix, the store, the limits of processes and the seed of the order.
        quantities: what to decide; see ``plan.quantities``.
        settings: where packages come from.
        notify: told how far it is.
        budget: seconds for blocks and looks; making environments and converting the model is not in it.
        folder: of the gate; every block, void or not, is appended to ``blocks.jsonl`` there.

    Raises:
        HarnessError: the harness or the machine failed. Processes that fail leave quantities unmeasured.
    """

    def say(text: str) -> None:
        notify(Progress(cell="", stage="note", note=text))

    verdicts = Verdicts(tuple(quantities))
    with one_error():
        async with AsyncExitStack() as stack:
            embedding = verdicts.open_in(EMBEDDING)
            setting = await set_up(stack, plan, request, settings, say, embeds=bool(embedding), folder=folder)
            if setting.unconverted:
                say(setting.unconverted)
                verdicts.give_up(embedding, setting.unconverted)
            await stack.enter_async_context(request.store.lock("latency", lambda: say(_OTHER)))
            sampling = Sampling(setting.rig, request.matrix, verdicts, notify, budget, folder)
            await sampling.run()
    measured: dict[str, int] = {group: len(blocks) for group, blocks in sampling.blocks.items()}
    return verdicts.sum_up(spent=sampling.spent, budget=budget, measured=measured)


@dataclass
class Sampling:
    """The blocks of one gate, from the first to the last that the budget allows."""

    rig: Rig
    matrix: Matrix
    verdicts: Verdicts
    notify: Notify
    budget: float
    folder: Path
    blocks: dict[Group, list[Block]] = field(default_factory=lambda: {NORMALIZER: [], EMBEDDING: []})
    attempts: int = 0
    begun: float = field(default_factory=time.monotonic)
    slots: Iterator[tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        """Draw the order of the slots from the seed of the rig."""
        self.slots = draw_slots(self.rig.order)

    @property
    def spent(self) -> float:
        """Seconds since it was begun."""
        return time.monotonic() - self.begun

    async def run(self) -> None:
        """Sample group by group; at the end look once more at what the budget cut off between two looks.

        Raises:
            MachineError: a block holds a value that is no ratio.
            OSError: a block cannot be written.
        """
        both = bool(self.verdicts.open_in(EMBEDDING))
        await self._sample(NORMALIZER, self.budget * (FIRST_SHARE if both else 1.0))
        await self._sample(EMBEDDING, self.budget)
        await self._sample(NORMALIZER, self.budget)
        for group, blocks in self.blocks.items():
            last = find_final_analysis(len(blocks))
            if last is not None and self.verdicts.open_in(group):
                self.verdicts.look(group, blocks, last)

    async def _sample(self, group: Group, until: float) -> None:
        """Measure and look until a group is decided, or so many seconds are spent."""
        blocks = self.blocks[group]
        begun = len(blocks)
        while self.verdicts.open_in(group) and self._fits(group, until):
            look = find_next_analysis(len(blocks))
            self._tell(group, look.blocks)
            if await self._attempt(group, until) and len(blocks) == look.blocks:
                self.verdicts.look(group, blocks, look)
        if len(blocks) > begun:
            self._tell(group, len(blocks))

    def _fits(self, group: Group, until: float) -> bool:
        """Whether one more block, by the cost of those so far, is over in time; the first is tried."""
        costs = [block.seconds for block in self.blocks[group]]
        return self.spent + (sum(costs) / len(costs) if costs else 0.0) < until

    async def _attempt(self, group: Group, until: float) -> bool:
        """Measure one block and keep it; False where it is void, or was not over in time."""
        self.attempts += 1
        slots, begun = next(self.slots), self.spent
        try:
            async with asyncio.timeout(until - self.spent):
                block = await measure_block(self.rig, self._work(group), self.attempts, slots)
        except TimeoutError:
            return False
        except InvalidBlockError as error:
            void = InvalidBlock(
                group=group,
                number=self.attempts,
                slots=slots,
                arms=error.arms,
                void=error.reason,
                scenario=error.scenario,
                seconds=round(self.spent - begun, 3),
            )
            self._bear(void)
            return False
        append_block(self.folder, block)
        self.verdicts.end_row(group)
        self.blocks[group].append(block)
        return True

    def _work(self, group: Group) -> Work:
        """Open scenarios only; but memory is that of the whole group, as long as it is open."""
        wanted = frozenset(each.id for each in self.verdicts.open_in(group))
        whole = _memory(group) in wanted
        every = scenarios_of_group(self.matrix, group)
        scenarios = [each for each in every if whole or each.id in wanted]
        return Work(group, give_time(scenarios, len(every)), wanted)

    def _bear(self, void: InvalidBlock) -> None:
        """Keep a void block and tell of it: its values are lost, but not that it was."""
        append_block(self.folder, void)
        self.verdicts.bear(void, len(self.blocks[void.group]))
        note = f"a block of the {void.group} is void: {void.void}"
        self.notify(Progress(cell="", stage="note", note=note))

    def _tell(self, group: Group, wanted: int) -> None:
        """How far a group is; the seconds in steps, so that a log without a terminal gets few lines."""
        planned = sum(each.group == group for each in self.verdicts.planned)
        still = len(self.verdicts.open_in(group))
        spent = f"{self.spent // 10 * 10:.0f} of {self.budget:.0f} s"
        note = f"{still} of {planned} quantities open, {spent}"
        done = len(self.blocks[group])
        self.notify(Progress(cell=group, stage="latency", done=done, total=wanted, note=note))


def give_time(scenarios: Sequence[ScenarioPlan], of: int) -> tuple[ScenarioPlan, ...]:
    """What is left of so many scenarios, with the time of those that are decided."""
    more = min(MOST_TIME, of // len(scenarios))
    return tuple(
        msgspec.structs.replace(each, rounds=each.rounds * more, budget_seconds=each.budget_seconds * more)
        for each in scenarios
    )


def _memory(group: Group) -> str:
    return f"memory.{group}"
