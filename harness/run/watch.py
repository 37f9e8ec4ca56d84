"""One watchman for all cell processes: ends those that use more memory, or print more, than they may.

A process leads a session of its own, so what belongs to it is told by one cheap system call per process of
the machine, many times cheaper than walking a tree of children for each.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from harness.processes import Running
from harness.run.options import Limits

PERIOD_SECONDS = 0.2
_MIB = 1024**2


@dataclass
class Watched:
    """One process under watch: what it used at most, and why it was killed, if it was."""

    running: Running
    log: Path
    limits: Limits
    peak: int = 0
    killed: str = ""

    def check(self, resident: int) -> None:
        """Kill it when it is beyond a limit."""
        self.peak = max(self.peak, resident)
        printed = self.log.stat().st_size if self.log.exists() else 0
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
    """Looks at every process under watch a few times a second, as long as it is entered."""

    period: float = PERIOD_SECONDS
    watched: dict[int, Watched] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start looking."""
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def add(self, running: Running, log: Path, limits: Limits) -> Watched:
        """Put a process under watch."""
        self.watched[running.pid] = Watched(running, log, limits)
        return self.watched[running.pid]

    def remove(self, running: Running) -> None:
        """Stop watching one."""
        self.watched.pop(running.pid, None)

    async def _look(self) -> None:
        while True:
            if self.watched:
                resident = measure_sessions(set(self.watched))
                for pid, watched in tuple(self.watched.items()):
                    watched.check(resident.get(pid, 0))
            await asyncio.sleep(self.period)


def measure_sessions(leaders: set[int]) -> dict[int, int]:
    """Bytes resident in all processes of each session; sessions that are gone are left out."""
    resident: dict[int, int] = defaultdict(int)
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            session = os.getsid(pid)
            if session in leaders:
                resident[session] += psutil.Process(pid).memory_info().rss
    return dict(resident)
