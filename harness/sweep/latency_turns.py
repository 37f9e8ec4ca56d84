"""Measure one latency scenario across resident processes: they take turns, round by round."""

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

# Number of rounds, calls per round and warm-up calls of a scenario.

MOST_ITERATIONS = 10_000
FEWEST_ROUNDS = 5
"""Below that a median is too imprecise; a matrix that asks for fewer rounds gets fewer."""


WARM_UP_CALLS = 3
"""Maximum number of calls without timing at the start of each turn.

Between two turns of a process all others run and evict its data from the caches, which slows its first calls:
a text takes 7 ms, and 4.4 to 6 after three or eight calls; 4096 float32 rows take 2.2 ms, 1.9 after one call,
1.6 after three or fourteen, and the ratio of two processes spreads by 3%, 3%, 1.5% (2026-11).
"""

SHORT_CALL, WARM_UP_SECONDS = 1e-3, 0.02
"""Seconds of a call with a small working set, and of all calls until the caches are warm: 4096 float16 rows
take 22.3 ms, and 22.1 after a call."""


def count_rounds(scenario: ScenarioPlan, seconds: float) -> protocol.Begin:
    """As many rounds as fit into the budget of the scenario if one call takes ``seconds``."""
    iterations, length = _lay_out(scenario, seconds)
    return _begin(scenario, seconds, iterations, int(scenario.budget_seconds / length))


def count_rounds_to_decide(scenario: ScenarioPlan, seconds: float) -> protocol.Begin:
    """As ``count_rounds``, but rounds of eight times the length are halved in number, not cut to an eighth.

    A gate decides all scenarios of a process, and the variance of each falls with its number of rounds. A
    number of rounds proportional to the inverse cube root of their cost minimizes the sum of squares of these
    variances for a given total time. The budget assumes rounds of the target length.
    """
    iterations, length = _lay_out(scenario, seconds)
    longer = max(1.0, length / scenario.target_seconds)
    usual = scenario.budget_seconds / (length / longer)
    return _begin(scenario, seconds, iterations, int(usual / longer ** (1 / 3)))


def _lay_out(scenario: ScenarioPlan, seconds: float) -> tuple[int, float]:
    """The calls of a round, and its length in seconds."""
    call = max(seconds, 1e-9)
    iterations = max(1, min(round(scenario.target_seconds / call), MOST_ITERATIONS))
    return iterations, iterations * call


def _begin(scenario: ScenarioPlan, seconds: float, iterations: int, affordable: int) -> protocol.Begin:
    """The command for all processes; a median needs ``FEWEST_ROUNDS``, whatever they cost."""
    rounds = min(scenario.rounds, max(FEWEST_ROUNDS, affordable))
    return protocol.Begin(rounds=rounds, iterations=iterations, warm_up=_count_warm_up(seconds))


def _count_warm_up(call: float) -> int:
    """The number of warm-up calls; a short call is repeated within a round, so one suffices."""
    return min(WARM_UP_CALLS, int(WARM_UP_SECONDS / call)) if call > SHORT_CALL else 1


@dataclass
class Arm:
    """A process that takes turns; ``ended`` is the reason why it dropped out."""

    name: str
    process: CellProcess
    ended: CellEndedError | None = None

    async def attempt(self, step: Callable[[CellProcess], Coroutine[Any, Any, bool]]) -> bool:
        """Run one step; False if the process does not measure the scenario, or has ended."""
        if self.ended is None:
            try:
                return await step(self.process)
            except CellEndedError as ended:
                self.ended = ended
                await self.process.end()
        return False

    async def leave(self) -> None:
        """Wait until it has exited by itself."""

        async def leave(process: CellProcess) -> bool:
            await process.wait_for_exit()
            return True

        await self.attempt(leave)


@dataclass(frozen=True)
class Core:
    """The core of all turns, and the cores that a process may use between them.

    A core is slow while another program uses its second hyperthread, and the system rarely moves a process.
    Three equal processes in turn, with and without a common core: 4 to 10 of 26 ratios of a scenario were off
    by more than 10% without it, none to two with it; the root mean square of a single row went from 33% to
    1.4% (2026-11, a virtual machine of two cores).

    OpenVINO pins the inferring thread to core 0 during an inference, in all releases from 2024.6.0 to
    2026.4.1, and allows all cores afterwards: there the common core holds until the first inference.
    """

    number: int
    usable: tuple[int, ...]


def draw_core(order: random.Random, threads: int) -> Core | None:
    """Draw one core for all processes that are compared with each other.

    None if they use several ``threads``, or if the system cannot pin processes.
    """
    if threads > 1 or not hasattr(os, "sched_getaffinity"):
        return None
    usable = tuple(sorted(os.sched_getaffinity(0)))
    return Core(order.choice(usable), usable)


@dataclass(frozen=True)
class Turns:
    """The turns of one scenario; without a ``core`` the system places each process.

    ``count`` computes rounds and calls from the seconds of one call.
    """

    scenario: ScenarioPlan
    order: random.Random
    core: Core | None = None
    count: Callable[[ScenarioPlan, float], protocol.Begin] = count_rounds

    async def measure(self, arms: Sequence[Arm]) -> dict[str, protocol.Timed]:
        """Measure all rounds, one process at a time; returns name of the arm -> its timed rounds.

        The first ready arm, normally the baseline, calibrates the calls of a round of ``target_seconds``. An
        arm that ends drops out; an arm that cannot measure the scenario is skipped.
        """
        ready = await _all(arms, self._get_ready)
        with self._share_core(tuple(ready)):
            timed = await self._take_rounds(ready)
        for arm in arms:
            if arm.ended is None:
                arm.process.send(protocol.Next())
        return {arm.name: arm.process.record.timed[self.scenario.id] for arm in timed}

    @contextlib.contextmanager
    def _share_core(self, arms: Sequence[Arm]) -> Iterator[None]:
        """Pin all arms to the core for the measurement, and release them afterwards."""
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
        """Calibrate, measure all rounds, receive the timings; returns the arms that sent theirs."""
        begin = protocol.Begin(rounds=0, iterations=0, warm_up=0)
        while ready and not begin.rounds:
            if await ready[0].attempt(self._calibrate):
                seconds = ready[0].process.record.calibrated[self.scenario.id]
                begin = self.count(self.scenario, seconds)
            else:
                del ready[0]
        for arm in ready:
            arm.process.send(begin)
        for number in range(begin.rounds):
            await self._take_round(ready, number)
        return await _all(ready, self._get_timed)

    async def _take_round(self, ready: list[Arm], number: int) -> None:
        async def take_turn(process: CellProcess) -> bool:
            process.send(protocol.Turn(round=number))
            return await self._receive(process, protocol.TurnDone, process.limits.turn, f"round {number}")

        for arm in self.order.sample(ready, len(ready)):
            if not await arm.attempt(take_turn):
                ready.remove(arm)

    async def _get_ready(self, process: CellProcess) -> bool:
        return await self._receive(process, protocol.Ready, process.limits.setup, "the setup")

    async def _get_timed(self, process: CellProcess) -> bool:
        return await self._receive(process, protocol.Timed, process.limits.turn, "the last call")

    async def _calibrate(self, process: CellProcess) -> bool:
        process.send(protocol.Calibrate())
        return await self._receive(process, protocol.Calibrated, process.limits.turn, "the calibration")

    async def _receive(
        self, process: CellProcess, kind: type[protocol.Event], seconds: float, what: str
    ) -> bool:
        """Wait for an event of this scenario; False if the process cannot measure it.

        Raises:
            CellEndedError: the process ended, or sent an unexpected event.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        awaited = f"{what} of {self.scenario.id} (limit {seconds:g} s)"
        while True:
            event = await process.receive(deadline - loop.time(), awaited)
            if getattr(event, "scenario", self.scenario.id) != self.scenario.id:
                raise process.crash(f"unexpected {event} while waiting for {awaited}")
            if isinstance(event, kind | protocol.Untimed):
                return isinstance(event, kind)
            if isinstance(event, _LATENCY_EVENTS):
                raise process.crash(f"unexpected {event} while waiting for {awaited}")


_LATENCY_EVENTS = (protocol.Ready, protocol.Calibrated, protocol.TurnDone, protocol.Timed, protocol.Finished)


async def _all(arms: Sequence[Arm], step: Callable[[CellProcess], Coroutine[Any, Any, bool]]) -> list[Arm]:
    """Run a step with all arms at once; returns the arms that can continue."""
    done = await asyncio.gather(*(arm.attempt(step) for arm in arms))
    return [arm for arm, able in zip(arms, done, strict=True) if able]
