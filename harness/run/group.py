"""Processes that are resident together for latency: the baseline, a second baseline, and members."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import psutil

from harness.run import events
from harness.run.cell import CellProcess
from harness.run.ends import CellEndedError
from harness.run.job import Bench, Job, Launch, Member
from harness.run.turns import Arm

CONTROL = "aa."
"""In front of the baseline's id: the arm that shows how far two processes of the same cell lie apart."""

_LEAST = 256 * 1024**2


@dataclass
class Group:
    """Gathers the processes; all of them are ended with ``stack``.

    Attributes:
        baseline: who the others are compared with; measured itself only when it is pending.
        label: tells the files of one group from those of another.
        jobs: whose timings this group measures.
        arms: who takes turns, the baseline first, the control second.
        fallen: jobs whose process did not get as far as its first scenario, with the last lines of its log.
    """

    bench: Bench
    baseline: Job | None
    label: str
    stack: AsyncExitStack
    jobs: list[Job] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    fallen: dict[str, tuple[CellEndedError, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def control(self) -> str | None:
        """The name of the control arm."""
        return None if self.baseline is None else CONTROL + self.baseline.id

    async def gather(self, pending: list[Job]) -> None:
        """Take in those that wait already, then start baseline, control, and as many more as fit."""
        for job in pending:
            if job.member is not None:
                self.jobs.append(job)
                self._add(job.id, job.member)
                job.member = None
        starts = self._choose_starts(pending)
        async with asyncio.TaskGroup() as group:
            for name, job in starts:
                group.create_task(self._start(name, job))
        first = [] if self.baseline is None else [self.baseline.id, self.control]
        self.arms.sort(key=lambda arm: first.index(arm.name) if arm.name in first else len(first))

    def _choose_starts(self, pending: list[Job]) -> list[tuple[str, Job]]:
        starts: list[tuple[str, Job]] = []
        if self.baseline is not None:
            if self.baseline not in self.jobs:
                starts.append((self.baseline.id, self.baseline))
                self.jobs += [self.baseline] if self.baseline in pending else []
            starts.append((CONTROL + self.baseline.id, self.baseline))
        for job in pending:
            if job not in self.jobs and self._has_room(len(starts)):
                starts.append((job.id, job))
                self.jobs.append(job)
        return starts

    def _has_room(self, starting: int) -> bool:
        """Whether one more fits beside those that are about to start; the first of a group always does."""
        if not self.jobs:
            return True
        largest = max((job.result.peak_rss for job in self.jobs if job.result is not None), default=0)
        free = psutil.virtual_memory().available - self.bench.options.reserve
        return free > max(largest, _LEAST) * (starting + 1)

    async def _start(self, name: str, job: Job) -> None:
        own = name == job.id and job in self.jobs
        label = "latency" if own else f"latency-{self.label}"
        benchmark = "benchmark.json" if own else f"benchmark.{label}.json"
        member = Member(self.bench, Launch(job.planned, name, ("latency",), f"spec.{label}.json", benchmark))
        self.stack.push_async_callback(member.end)
        try:
            await member.get_environment()
            async with self.bench.cores:
                await member.start()
                await await_first(member.process)
        except CellEndedError as ended:
            self.fallen[name] = (ended, member.read_tail())
            await member.end()
        else:
            self._add(name, member)
            self.bench.tell(name, "waiting")

    def _add(self, name: str, member: Member) -> None:
        self.stack.push_async_callback(member.end)
        self.members[name] = member
        self.arms.append(Arm(name, member.process))


async def await_first(process: CellProcess) -> None:
    """Listen until the first scenario is set up, which is when the imports are over."""
    while True:
        event = await process.hear(process.limits.setup, f"the start of at most {process.limits.setup:g} s")
        if isinstance(event, events.Ready | events.Untimed | events.Finished):
            process.keep(event)
            return
