"""One latency scenario across resident processes: every round of every cell in the same time slice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.records import ScenarioPlan
from harness.sweep import protocol
from harness.sweep.cell_process import CellProcess
from harness.sweep.protocol import CellEndedError

# How many rounds of how many calls a scenario gets, and how many calls before each are not timed. Pure.

MOST_ITERATIONS = 10_000
FEWEST_ROUNDS = 5
"""Below that a median says little; a matrix that asks for fewer gets what it asks for."""


WARM_UP_CALLS = 3
"""At the start of each turn a process makes at most so many calls without timing.

Between two turns of a process all others run, and what they leave in the caches is in its first calls: a text
takes 7 ms then, and 4.4 to 6 after three or eight calls; 4096 float32 rows take 2.2 ms, 1.9 after one call,
1.6 after three or fourteen, and the ratio of two processes spreads by 3%, 3%, 1.5% (2026-11).
"""

SHORT_CALL, WARM_UP_SECONDS = 1e-3, 0.02
"""Seconds of a call whose working set is small, and of all calls after which nothing is cold any more: 4096
float16 rows take 22.3 ms, and 22.1 after a call."""


def count_rounds(scenario: ScenarioPlan, seconds: float) -> protocol.Begin:
    """As many rounds as the budget of the scenario has room for, where one call takes ``seconds``."""
    iterations, length = _lay_out(scenario, seconds)
    return _begin(scenario, seconds, iterations, int(scenario.budget_seconds / length))


def count_rounds_to_decide(scenario: ScenarioPlan, seconds: float) -> protocol.Begin:
    """As ``count_rounds``, but a round of eight times the length gets half as many, not an eighth.

    All scenarios of a process have to be decided, and the variance of each falls with the number of its
    rounds. Rounds that fall with the cube root of what one costs have, of all ways to spend the same time,
    the least sum of squares of these variances: the noisiest counts most. The budget is that of rounds which
    are as long as they should be.
    """
    iterations, length = _lay_out(scenario, seconds)
    longer = max(1.0, length / scenario.target_seconds)
    usual = scenario.budget_seconds / (length / longer)
    return _begin(scenario, seconds, iterations, int(usual / longer ** (1 / 3)))


def _lay_out(scenario: ScenarioPlan, seconds: float) -> tuple[int, float]:
    """Calls of a round, and the seconds that it lasts."""
    call = max(seconds, 1e-9)
    iterations = max(1, min(round(scenario.target_seconds / call), MOST_ITERATIONS))
    return iterations, iterations * call


def _begin(scenario: ScenarioPlan, seconds: float, iterations: int, affordable: int) -> protocol.Begin:
    """What the processes are told; a median needs a few rounds, whatever they cost."""
    rounds = min(scenario.rounds, max(FEWEST_ROUNDS, affordable))
    return protocol.Begin(rounds=rounds, iterations=iterations, warm_up=_count_warm_up(seconds))


def _count_warm_up(call: float) -> int:
    """How many calls; of those that are repeated in a round anyway the first is all that is cold."""
    return min(WARM_UP_CALLS, int(WARM_UP_SECONDS / call)) if call > SHORT_CALL else 1


@dataclass
class Arm:
    """A process that takes turns; ``ended`` tells why it dropped out."""

    name: str
    process: CellProcess
    ended: CellEndedError | None = None

    async def attempt(self, step: Callable[[CellProcess], Coroutine[Any, Any, bool]]) -> bool:
        """Do one step with it; False where it is out of the scenario, or has ended."""
        if self.ended is None:
            try:
                return await step(self.process)
            except CellEndedError as ended:
                self.ended = ended
                await self.process.end()
        return False


@dataclass(frozen=True)
class Core:
    """The core that turns are taken on, and all that a process may use between them.

    A core is slow for as long as a stranger works on its other hyperthread, and a process stays on its core.
    Blocks of three equal processes in turn with and without a core for all: 4 to 10 in 26 ratios of a
    scenario were off by more than 10% where each ran where the system put it, none to two on one core, and
    the root mean square of a single row's went from 33% to 1.4% (2026-11, a virtual machine of two cores).

    OpenVINO keeps the thread that infers to core 0 for as long as it does, in all releases from 2024.6.0 to
    2026.4.1, and then gives it back all cores: so there this holds until the first inference.
    """

    number: int
    usable: tuple[int, ...]


def draw_core(order: random.Random, threads: int) -> Core | None:
    """A core for processes of so many ``threads``, the same for all that are compared with each other.

    None where they need several, or where the system does not let anybody choose.
    """
    if threads > 1 or not hasattr(os, "sched_getaffinity"):
        return None
    usable = tuple(sorted(os.sched_getaffinity(0)))
    return Core(order.choice(usable), usable)


@dataclass(frozen=True)
class Turns:
    """The turns of one scenario; without a ``core`` each process takes them where the system puts it.

    ``count`` tells how many rounds of how many calls there are where a call takes so many seconds.
    """

    scenario: ScenarioPlan
    order: random.Random
    core: Core | None = None
    count: Callable[[ScenarioPlan, float], protocol.Begin] = count_rounds

    async def measure(self, arms: Sequence[Arm]) -> dict[str, protocol.Timed]:
        """Take all rounds, one process at a time; name of the arm -> its timed rounds.

        The first arm that is ready, by rights the baseline, says how many calls make a round of about
        ``target_seconds``. An arm that ends drops out, one that cannot measure the scenario is left out.
        """
        ready = await _all(arms, self._get_ready)
        with self._share_core(tuple(ready)):
            timed = await self._take_rounds(ready)
        for arm in arms:
            if arm.ended is None:
                arm.process.say(protocol.Next())
        return {arm.name: arm.process.account.timed[self.scenario.id] for arm in timed}

    @contextlib.contextmanager
    def _share_core(self, arms: Sequence[Arm]) -> Iterator[None]:
        """Keep all of them to the core; what is set up before and after may use every one."""
        if self.core is None:
            yield
            return
        for arm in arms:
            arm.process.pin_to((self.core.number,))
        try:
            yield
        finally:
            for arm in arms:
                arm.process.pin_to(self.core.usable)

    async def _take_rounds(self, ready: list[Arm]) -> list[Arm]:
        """Calibrate, take all rounds, hear the times; those that told theirs."""
        begin = protocol.Begin(rounds=0, iterations=0, warm_up=0)
        while ready and not begin.rounds:
            if await ready[0].attempt(self._calibrate):
                seconds = ready[0].process.account.calibrated[self.scenario.id]
                begin = self.count(self.scenario, seconds)
            else:
                del ready[0]
        for arm in ready:
            arm.process.say(begin)
        for number in range(begin.rounds):
            await self._take_round(ready, number)
        return await _all(ready, self._get_timed)

    async def _take_round(self, ready: list[Arm], number: int) -> None:
        async def take_turn(process: CellProcess) -> bool:
            process.say(protocol.Turn(round=number))
            return await self._hear(process, protocol.TurnDone, process.limits.turn, f"round {number}")

        for arm in self.order.sample(ready, len(ready)):
            if not await arm.attempt(take_turn):
                ready.remove(arm)

    async def _get_ready(self, process: CellProcess) -> bool:
        return await self._hear(process, protocol.Ready, process.limits.setup, "the setting up")

    async def _get_timed(self, process: CellProcess) -> bool:
        return await self._hear(process, protocol.Timed, process.limits.turn, "the last call")

    async def _calibrate(self, process: CellProcess) -> bool:
        process.say(protocol.Calibrate())
        return await self._hear(process, protocol.Calibrated, process.limits.turn, "the calibration")

    async def _hear(
        self, process: CellProcess, kind: type[protocol.Event], seconds: float, what: str
    ) -> bool:
        """Wait for an event of this scenario; False when it says that it cannot measure it.

        Raises:
            CellEndedError: it ended, or said something that is not due.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        due = f"{what} of {self.scenario.id} (at most {seconds:g} s)"
        while True:
            event = await process.hear(deadline - loop.time(), due)
            if getattr(event, "scenario", self.scenario.id) != self.scenario.id:
                raise process.crash(f"it spoke of {event} when {due} was due")
            if isinstance(event, kind | protocol.Untimed):
                return isinstance(event, kind)
            if isinstance(event, _LATENCY_EVENTS):
                raise process.crash(f"it said {event} when {due} was due")


_LATENCY_EVENTS = (protocol.Ready, protocol.Calibrated, protocol.TurnDone, protocol.Timed, protocol.Finished)


async def _all(arms: Sequence[Arm], step: Callable[[CellProcess], Coroutine[Any, Any, bool]]) -> list[Arm]:
    """Do a step with all arms at once; those that can go on."""
    done = await asyncio.gather(*(arm.attempt(step) for arm in arms))
    return [arm for arm, able in zip(arms, done, strict=True) if able]
