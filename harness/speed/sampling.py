"""Latency and memory of a gate: block after block until every quantity is decided or the budget is spent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.gate_records import Block, Quantity, Speed, VoidBlock
from harness.judge.sampling import last_look, next_look
from harness.pipeline import Notify, Request
from harness.plan.pip_settings import IndexSettings
from harness.plan.quantities import EMBEDDING, NORMALIZER, Group, scenarios_of_group
from harness.plan.schema import Matrix
from harness.records import Plan, Progress, ScenarioPlan
from harness.run.interrupt import one_error
from harness.run.probing.block import VoidBlockError, measure_block
from harness.run.probing.journal import append_block
from harness.run.probing.rig import Rig, Work, draw_slots
from harness.speed.looks import Verdicts
from harness.speed.rig import set_up

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
            last = last_look(len(blocks))
            if last is not None and self.verdicts.open_in(group):
                self.verdicts.look(group, blocks, last)

    async def _sample(self, group: Group, until: float) -> None:
        """Measure and look until a group is decided, or so many seconds are spent."""
        blocks = self.blocks[group]
        begun = len(blocks)
        while self.verdicts.open_in(group) and self._fits(group, until):
            look = next_look(len(blocks))
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
        except VoidBlockError as error:
            void = VoidBlock(
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

    def _bear(self, void: VoidBlock) -> None:
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
