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
from harness.gate.probes import ProbeSetup, Workload, draw_slots, set_up
from harness.gate.quantities import EMBEDDING, NORMALIZER, Group, scenarios_of_group
from harness.judge.alpha_spending import (
    InterimAnalysis,
    compute_confidence,
    find_final_analysis,
    find_next_analysis,
    plan_analyses,
)
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

# Decide the quantities at each interim analysis, and again later from the stored blocks.

OPEN_OUTCOMES = frozenset({"undecided"})
"""Outcomes that more blocks may change; all others are final, so that no quantity is retested."""

MAX_CONSECUTIVE_INVALID = 3
"""Consecutive invalid blocks of the same arms and scenario after which their quantities are unmeasured."""


@dataclass
class SpeedDecisions:
    """The decisions of a gate so far, and its invalid blocks."""

    planned: tuple[Quantity, ...]
    decided: dict[str, QuantityDecision] = field(default_factory=dict)
    analyses: int = 0
    invalid: list[InvalidBlock] = field(default_factory=list)
    consecutive: Counter[tuple[str, tuple[str, ...], str]] = field(default_factory=Counter)

    def open_quantities(self, group: str) -> tuple[Quantity, ...]:
        """The undecided quantities of a group."""
        return tuple(each for each in self.planned if each.group == group and self._is_open(each))

    def _is_open(self, quantity: Quantity) -> bool:
        decision = self.decided.get(quantity.id)
        return decision is None or decision.outcome in OPEN_OUTCOMES

    def mark_unmeasured(self, quantities: Sequence[Quantity], because: str, *, blocks: int = 0) -> None:
        """Mark quantities as unmeasured, with the reason."""
        for quantity in quantities:
            self.decided[quantity.id] = make_unmeasured(quantity, because, blocks=blocks)

    def add_invalid(self, block: InvalidBlock, measured: int) -> None:
        """Add an invalid block next to ``measured`` valid ones; too many in a row end the measurement."""
        self.invalid.append(block)
        cause = block.group, block.arms, block.scenario
        self.consecutive[cause] += 1
        if self.consecutive[cause] >= MAX_CONSECUTIVE_INVALID:
            same = [each for each in self.invalid if (each.group, each.arms, each.scenario) == cause]
            lost = [each for each in self.open_quantities(block.group) if affects(block, each)]
            self.mark_unmeasured(lost, describe_invalid_blocks(same, measured), blocks=measured)

    def reset_consecutive(self, group: str) -> None:
        """Reset the count of consecutive invalid blocks of a group."""
        for cause in [each for each in self.consecutive if each[0] == group]:
            del self.consecutive[cause]

    def analyze(self, group: str, blocks: Sequence[Block], analysis: InterimAnalysis) -> None:
        """Decide the open quantities of a group from its blocks so far.

        Raises:
            MachineError: a block has a value that gives no ratio.
        """
        from harness.judge.intervals import estimate  # noqa: PLC0415 - SciPy takes a second to import

        quantities = self.open_quantities(group)
        samples = collect_samples(quantities, blocks)
        confidence = compute_confidence(analysis, len(self.planned))
        intervals = estimate(samples, confidence)
        # later invalid blocks must not count when the gate is decided again
        invalid = [each for each in self.invalid if each.number < blocks[-1].number]
        for quantity in quantities:
            decision = decide_quantity(quantity, blocks, intervals)
            self.decided[quantity.id] = limit_invalid_so_far(decision, len(blocks), invalid)
        self.analyses += 1

    def summarize(self, *, spent: float, budget: float, measured: Mapping[str, int] | None = None) -> Speed:
        """All decisions with regard to all invalid blocks; a quantity without an analysis is undecided.

        ``measured`` is the number of valid blocks by group.
        """
        counts = measured or {}
        undecided = {
            each.id: QuantityDecision(quantity=each, outcome="undecided", blocks=counts.get(each.group, 0))
            for each in self.planned
            if each.id not in self.decided
        }
        final = {
            name: limit_invalid(each, counts.get(each.quantity.group, 0), self.invalid)
            for name, each in (undecided | self.decided).items()
        }
        return summarize_speed(
            self.planned, final, spent=round(spent, 1), budget=budget, looks=self.analyses, void=self.invalid
        )


def decide_from_blocks(before: Speed, blocks: Sequence[Block], invalid: Sequence[InvalidBlock] = ()) -> Speed:
    """Decide again from the stored blocks of a gate, at the same interim analyses, without measuring.

    ``before`` has the planned quantities; its unmeasured quantities stay unmeasured.

    Raises:
        MachineError: a block has a value that gives no ratio.
    """
    planned = tuple(each.quantity for each in before.quantities)
    decisions = SpeedDecisions(planned, invalid=list(invalid or before.void))
    for each in before.quantities:
        if each.outcome == "unmeasured":
            decisions.decided[each.quantity.id] = each
    by_group = _group_blocks(blocks)
    for group, mine in by_group.items():
        for analysis in _analyses_over(len(mine)):
            if decisions.open_quantities(group):
                decisions.analyze(group, mine[: analysis.blocks], analysis)
    missing = [e.quantity for e in before.quantities if e.blocks and e.quantity.group not in by_group]
    decisions.mark_unmeasured(missing, "its blocks are missing from the folder of the gate")
    seconds = [each.seconds for each in blocks] + [each.seconds for each in decisions.invalid]
    spent = max(before.spent, sum(seconds))
    decisions.analyses = max(decisions.analyses, before.looks)  # includes those of unmeasured quantities
    measured = {group: len(mine) for group, mine in by_group.items()}
    return decisions.summarize(spent=spent, budget=before.budget, measured=measured)


def _group_blocks(blocks: Sequence[Block]) -> Mapping[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for block in blocks:
        found.setdefault(block.group, []).append(block)
    return found


def _analyses_over(blocks: int) -> list[InterimAnalysis]:
    """The interim analyses that were due, and one for the blocks after the last of them."""
    due = list(itertools.takewhile(lambda look: look.blocks <= blocks, plan_analyses()))
    last = find_final_analysis(blocks)
    return due if last is None else [*due, last]


NORMALIZER_SHARE = 0.3
"""Share of the budget for the normalizer before the embedding; open quantities continue after it.

On a busy machine one noisy quantity of the normalizer took half of ten minutes. The embedding, at 22 s a
block instead of 7, did not reach its first interim analysis (2026-11).
"""

MAX_TIME_FACTOR = 2
"""Largest factor of the time of an open scenario: it gets the time of the decided ones, because its process
runs anyway. The factor is limited because the sample size is the number of blocks.
"""

_WAITING = "another harness is measuring latency; waiting for it to finish"


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
        quantities: to decide; see ``plan_quantities``.
        settings: of the package indexes.
        notify: receives the progress.
        budget: seconds for blocks and analyses, without creating environments and converting the model.
        folder: of the gate; every block, valid or invalid, is appended to its ``blocks.jsonl``.

    Raises:
        HarnessError: the harness or the machine failed. A failed probe process only makes a block invalid.
    """

    def log(text: str) -> None:
        notify(Progress(cell="", stage="note", note=text))

    decisions = SpeedDecisions(tuple(quantities))
    with one_error():
        async with AsyncExitStack() as stack:
            embedding = decisions.open_quantities(EMBEDDING)
            result = await set_up(stack, plan, request, settings, log, embeds=bool(embedding), folder=folder)
            if result.unconverted:
                log(result.unconverted)
                decisions.mark_unmeasured(embedding, result.unconverted)
            await stack.enter_async_context(request.store.lock("latency", lambda: log(_WAITING)))
            sampling = Sampling(result.setup, request.matrix, decisions, notify, budget, folder)
            await sampling.run()
    measured: dict[str, int] = {group: len(blocks) for group, blocks in sampling.blocks.items()}
    return decisions.summarize(spent=sampling.spent, budget=budget, measured=measured)


@dataclass
class Sampling:
    """The sampling of one gate: all blocks that the budget allows."""

    setup: ProbeSetup
    matrix: Matrix
    decisions: SpeedDecisions
    notify: Notify
    budget: float
    folder: Path
    blocks: dict[Group, list[Block]] = field(default_factory=lambda: {NORMALIZER: [], EMBEDDING: []})
    attempts: int = 0
    begun: float = field(default_factory=time.monotonic)
    slots: Iterator[tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        """Draw the order of the slots."""
        self.slots = draw_slots(self.setup.rng)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.begun

    async def run(self) -> None:
        """Sample group by group, then analyze blocks that were measured after the last interim analysis.

        Raises:
            MachineError: a block has a value that gives no ratio.
            OSError: a block cannot be written.
        """
        both = bool(self.decisions.open_quantities(EMBEDDING))
        await self._sample(NORMALIZER, self.budget * (NORMALIZER_SHARE if both else 1.0))
        await self._sample(EMBEDDING, self.budget)
        await self._sample(NORMALIZER, self.budget)
        for group, blocks in self.blocks.items():
            last = find_final_analysis(len(blocks))
            if last is not None and self.decisions.open_quantities(group):
                self.decisions.analyze(group, blocks, last)

    async def _sample(self, group: Group, until: float) -> None:
        """Measure and analyze until a group is decided, or ``until`` seconds are spent."""
        blocks = self.blocks[group]
        begun = len(blocks)
        while self.decisions.open_quantities(group) and self._fits(group, until):
            analysis = find_next_analysis(len(blocks))
            self._notify_progress(group, analysis.blocks)
            if await self._try_block(group, until) and len(blocks) == analysis.blocks:
                self.decisions.analyze(group, blocks, analysis)
        if len(blocks) > begun:
            self._notify_progress(group, len(blocks))

    def _fits(self, group: Group, until: float) -> bool:
        """Whether another block fits by the mean cost so far; the first is always tried."""
        costs = [block.seconds for block in self.blocks[group]]
        return self.spent + (sum(costs) / len(costs) if costs else 0.0) < until

    async def _try_block(self, group: Group, until: float) -> bool:
        """Measure one block and keep it; False if it is invalid or took too long."""
        self.attempts += 1
        slots, begun = next(self.slots), self.spent
        try:
            async with asyncio.timeout(until - self.spent):
                block = await measure_block(self.setup, self._make_workload(group), self.attempts, slots)
        except TimeoutError:
            return False
        except InvalidBlockError as error:
            invalid = InvalidBlock(
                group=group,
                number=self.attempts,
                slots=slots,
                arms=error.arms,
                void=error.reason,
                scenario=error.scenario,
                seconds=round(self.spent - begun, 3),
            )
            self._keep_invalid(invalid)
            return False
        append_block(self.folder, block)
        self.decisions.reset_consecutive(group)
        self.blocks[group].append(block)
        return True

    def _make_workload(self, group: Group) -> Workload:
        """The open scenarios; all of the group while memory is open, which is that of the whole group."""
        open_ids = frozenset(each.id for each in self.decisions.open_quantities(group))
        whole = _memory_id(group) in open_ids
        every = scenarios_of_group(self.matrix, group)
        scenarios = [each for each in every if whole or each.id in open_ids]
        return Workload(group, extend_time(scenarios, len(every)), open_ids)

    def _keep_invalid(self, block: InvalidBlock) -> None:
        """Keep the record of an invalid block, and report it."""
        append_block(self.folder, block)
        self.decisions.add_invalid(block, len(self.blocks[block.group]))
        note = f"a block of the {block.group} is invalid: {block.void}"
        self.notify(Progress(cell="", stage="note", note=note))

    def _notify_progress(self, group: Group, total: int) -> None:
        """Report the progress of a group, with seconds in steps of 10 to keep logs short."""
        planned = sum(each.group == group for each in self.decisions.planned)
        still_open = len(self.decisions.open_quantities(group))
        spent = f"{self.spent // 10 * 10:.0f} of {self.budget:.0f} s"
        note = f"{still_open} of {planned} quantities open, {spent}"
        done = len(self.blocks[group])
        self.notify(Progress(cell=group, stage="latency", done=done, total=total, note=note))


def extend_time(scenarios: Sequence[ScenarioPlan], of: int) -> tuple[ScenarioPlan, ...]:
    """The open scenarios out of ``of``, with the time of the decided ones."""
    factor = min(MAX_TIME_FACTOR, of // len(scenarios))
    return tuple(
        msgspec.structs.replace(
            each, rounds=each.rounds * factor, budget_seconds=each.budget_seconds * factor
        )
        for each in scenarios
    )


def _memory_id(group: Group) -> str:
    return f"memory.{group}"
