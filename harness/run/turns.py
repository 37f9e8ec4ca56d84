"""One latency scenario across resident processes: every round of every cell in the same slice of time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.records import ScenarioPlan
from harness.run import events
from harness.run.cell import CellProcess
from harness.run.ends import CellEndedError
from harness.run.rounds import count_rounds


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
    count: Callable[[ScenarioPlan, float], events.Begin] = count_rounds

    async def measure(self, arms: Sequence[Arm]) -> dict[str, events.Timed]:
        """Take all rounds, one process at a time; name of the arm -> its timed rounds.

        The first arm that is ready, by rights the baseline, says how many calls make a round of about
        ``target_seconds``. An arm that ends drops out, one that cannot measure the scenario is left out.
        """
        ready = await _all(arms, self._get_ready)
        with self._share_core(tuple(ready)):
            timed = await self._take_rounds(ready)
        for arm in arms:
            if arm.ended is None:
                arm.process.say(events.Next())
        return {arm.name: arm.process.account.timed[self.scenario.id] for arm in timed}

    @contextlib.contextmanager
    def _share_core(self, arms: Sequence[Arm]) -> Iterator[None]:
        """Keep all of them to the core; what is set up before and after may use every one."""
        if self.core is None:
            yield
            return
        for arm in arms:
            arm.process.keep_to((self.core.number,))
        try:
            yield
        finally:
            for arm in arms:
                arm.process.keep_to(self.core.usable)

    async def _take_rounds(self, ready: list[Arm]) -> list[Arm]:
        """Calibrate, take all rounds, hear the times; those that told theirs."""
        begin = events.Begin(rounds=0, iterations=0, warm_up=0)
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
            process.say(events.Turn(round=number))
            return await self._hear(process, events.TurnDone, process.limits.turn, f"round {number}")

        for arm in self.order.sample(ready, len(ready)):
            if not await arm.attempt(take_turn):
                ready.remove(arm)

    async def _get_ready(self, process: CellProcess) -> bool:
        return await self._hear(process, events.Ready, process.limits.setup, "the setting up")

    async def _get_timed(self, process: CellProcess) -> bool:
        return await self._hear(process, events.Timed, process.limits.turn, "the last call")

    async def _calibrate(self, process: CellProcess) -> bool:
        process.say(events.Calibrate())
        return await self._hear(process, events.Calibrated, process.limits.turn, "the calibration")

    async def _hear(self, process: CellProcess, kind: type[events.Event], seconds: float, what: str) -> bool:
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
            if isinstance(event, kind | events.Untimed):
                return isinstance(event, kind)
            if isinstance(event, _LATENCY_EVENTS):
                raise process.crash(f"it said {event} when {due} was due")


_LATENCY_EVENTS = (events.Ready, events.Calibrated, events.TurnDone, events.Timed, events.Finished)


async def _all(arms: Sequence[Arm], step: Callable[[CellProcess], Coroutine[Any, Any, bool]]) -> list[Arm]:
    """Do a step with all arms at once; those that can go on."""
    done = await asyncio.gather(*(arm.attempt(step) for arm in arms))
    return [arm for arm, able in zip(arms, done, strict=True) if able]
