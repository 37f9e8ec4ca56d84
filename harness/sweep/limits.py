"""Options of a sweep, resource limits of cell processes, and the watchdog that enforces them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from harness.errors import MachineError
from harness.processes import Running
from harness.sweep.machine import Container

_MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True)
class Limits:
    """Time, memory and output limits of a cell process.

    Attributes:
        contract: seconds from the start to the end of the check phase.
        setup: seconds to set up a latency scenario.
        turn: seconds for one latency round.
        exit: seconds to exit after the last phase.
        memory: bytes resident, of the process and its descendants.
        log: bytes printed.
    """

    contract: float = 900.0
    setup: float = 300.0
    turn: float = 60.0
    exit: float = 30.0
    memory: int = 6 * GIB
    log: int = 64 * 1024**2


def count_cores() -> int:
    """Cores that cells can use at once, within the limits of the container."""
    return Container().count_cores()


@dataclass(frozen=True)
class Options:
    """Options of a sweep.

    Attributes:
        jobs: cells in the check phase at once.
        latency: whether latency is measured.
        fresh: ignore results of interrupted runs.
        rerun: ignore all stored results.
        limits: limits of each cell process.
        reserve: bytes of memory to keep free while processes wait for their latency turns.
        seed: seed of the order of turns.
        container: limits of the harness and all cells together.
    """

    jobs: int = field(default_factory=count_cores)
    latency: bool = True
    fresh: bool = False
    rerun: bool = False
    limits: Limits = field(default_factory=Limits)
    reserve: int = GIB
    seed: int = 0
    container: Container = field(default_factory=Container)


PERIOD_SECONDS = 0.2


@dataclass
class Watched:
    """A process under watch: its peak memory in bytes, and why it was killed, if it was.

    ``kills_before`` is what ``Container.count_kills`` counted when it was started.
    """

    running: Running
    log: Path
    limits: Limits
    peak: int = 0
    killed: str = ""
    kills_before: int = 0

    def check(self, resident: int) -> None:
        """Kill the process if it exceeds a limit."""
        self.peak = max(self.peak, resident)
        try:
            printed = self.log.stat().st_size
        except FileNotFoundError:
            printed = 0
        if resident > self.limits.memory:
            self._kill(
                f"it used {resident // _MIB} MiB, more than the limit of {self.limits.memory // _MIB} MiB"
            )
        elif printed > self.limits.log:
            self._kill(
                f"it printed {printed // _MIB} MiB, more than the limit of {self.limits.log // _MIB} MiB"
            )

    def _kill(self, why: str) -> None:
        if not self.killed:
            self.killed = why
            self.running.kill()


@dataclass
class Watch:
    """The watchdog: checks every process under watch a few times a second while entered.

    When it fails, no limit holds: the task that entered it is cancelled, and leaving the watch raises why.
    """

    container: Container = field(default_factory=Container)
    period: float = PERIOD_SECONDS
    watched: dict[int, Watched] = field(default_factory=dict)
    _owner: asyncio.Task[Any] | None = None
    _task: asyncio.Task[None] | None = None
    _fault: Exception | None = None

    async def __aenter__(self) -> Self:
        """Start the watchdog."""
        self._owner = asyncio.current_task()
        self._task = asyncio.create_task(self._check_all())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the watchdog.

        Raises:
            MachineError: a process or a log could not be measured.
        """
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._fault is None or self._owner is None or self._owner.uncancel() > 0:
            return  # a signal ends the work as well, and says so itself
        if not isinstance(self._fault, OSError | psutil.Error):
            raise self._fault
        raise MachineError(f"the limits of memory and logs cannot be checked: {self._fault}") from self._fault

    def add(self, running: Running, log: Path, limits: Limits) -> Watched:
        """Put a process under watch."""
        kills = self.container.count_kills()
        self.watched[running.pid] = Watched(running, log, limits, kills_before=kills)
        return self.watched[running.pid]

    def remove(self, running: Running) -> None:
        """Stop watching a process."""
        self.watched.pop(running.pid, None)

    async def _check_all(self) -> None:
        try:
            while True:
                if self.watched:
                    resident = measure_sessions(set(self.watched))
                    for pid, watched in tuple(self.watched.items()):
                        watched.check(resident.get(pid, 0))
                await asyncio.sleep(self.period)
        except Exception as error:  # noqa: BLE001 - leaving the watch raises it
            self._fault = error
            if self._owner is not None:
                self._owner.cancel()


def measure_sessions(leaders: set[int]) -> dict[int, int]:
    """Bytes resident in all processes of each session; sessions that have ended are left out."""
    resident: dict[int, int] = defaultdict(int)
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            session = os.getsid(pid)
            if session in leaders:
                resident[session] += psutil.Process(pid).memory_info().rss
    return dict(resident)
