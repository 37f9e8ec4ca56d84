"""The latency phase: groups of resident processes, as few as memory allows, nothing else runs."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec

from harness.records import CellResult, Progress, Timing
from harness.store.material import spoil
from harness.sweep import protocol
from harness.sweep.cell_process import CellProcess
from harness.sweep.jobs import Bench, Job, Launch, Member, is_timed
from harness.sweep.protocol import CellEndedError
from harness.sweep.turns import Arm, Turns, draw_core

# Processes that are resident together for latency: the baseline, a second baseline, and members.

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
        options = self.bench.options
        free = options.container.measure_free_memory() - options.reserve
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
        if isinstance(event, protocol.Ready | protocol.Untimed | protocol.Finished):
            process.keep(event)
            return


async def measure_latency(bench: Bench, jobs: list[Job], baseline: Job | None, key: str) -> None:
    """Measure every job that lacks timings; ``key`` is the latency key under which they are kept."""
    number = 0
    while pending := [job for job in jobs if not job.measured]:
        number += 1
        usable = baseline if baseline is not None and _can_be_timed(baseline) else None
        async with AsyncExitStack() as stack:
            group = Group(bench, usable, str(number), stack)
            await group.gather(pending)
            session = Session(group, f"{bench.plan.run}.{number}")
            await session.measure()
        session.describe_lost()
        for job in group.jobs:
            session.conclude(job, key)


def _can_be_timed(baseline: Job) -> bool:
    return baseline.result is None or is_timed(baseline.result)  # without a result: it only stands by


@dataclass
class Session:
    """The scenarios of one group, and the results that come of them."""

    group: Group
    name: str
    timings: dict[str, list[Timing]] = field(default_factory=dict)
    seconds: float = 0.0

    async def measure(self) -> None:
        """Take the scenarios in their order, then let everybody leave."""
        since = time.monotonic()
        bench = self.group.bench
        order = random.Random(bench.options.seed)  # noqa: S311 - the order of turns is no secret
        scenarios, core = bench.plan.scenarios, draw_core(order, bench.material.threads)
        for done, scenario in enumerate(scenarios, 1):
            self._keep(await Turns(scenario, order, core).measure(self.group.arms))
            for job in self.group.jobs:
                bench.notify(Progress(cell=job.id, stage="latency", done=done, total=len(scenarios)))
        await asyncio.gather(*(arm.leave() for arm in self.group.arms))
        self.seconds = round(time.monotonic() - since, 3)

    def _keep(self, timed: dict[str, protocol.Timed]) -> None:
        base = timed.get(self.group.baseline.id) if self.group.baseline is not None else None
        control = timed.get(self.group.control) if self.group.control is not None else None
        for name, one in timed.items():
            timing = Timing(
                scenario=one.scenario,
                session=self.name,
                iterations=one.iterations,
                rounds=one.rounds,
                baseline=() if base is None else base.rounds,
                control=() if control is None else control.rounds,
            )
            self.timings.setdefault(name, []).append(timing)

    def conclude(self, job: Job, key: str) -> None:
        """Make the result of a job whole, keep it, and tell what became of the cell."""
        assert job.result is not None  # noqa: S101 - contract results are there before any group
        bench = self.group.bench
        arms = {arm.name: arm for arm in self.group.arms}
        arm = arms.get(job.id)
        if arm is None:
            job.result = _end(job.result, *self.group.fallen[job.id])
        else:
            job.result = self._complete(job, job.result, arm.process)
            if edits := (*arm.process.edited, *bench.inputs.find_edits()):
                job.result = spoil(job.result, edits)
            elif arm.ended is not None:
                job.result = _end(job.result, arm.ended, arm.process.read_tail())
            elif self._is_lasting(job.result):
                bench.results.keep_latency(job.result, key, bench.folder.cell(job.id))
        job.result = msgspec.structs.replace(job.result, run=bench.plan.run)
        job.measured = True
        bench.folder.write_result(job.result)
        bench.tell(job.id, job.result.status, job.result.reason)

    def _complete(self, job: Job, result: CellResult, process: CellProcess) -> CellResult:
        return msgspec.structs.replace(
            result,
            run=self.group.bench.plan.run,
            timings=tuple(self.timings.get(job.id, ())),
            untimed=dict(process.account.untimed),
            seconds={**result.seconds, "latency": self.seconds},
            peak_rss=max(result.peak_rss, self.group.members[job.id].peak),
        )

    def describe_lost(self) -> None:
        """Say which processes that only stand by were lost: ratios or the noise floor are missing then."""
        lost = {name: ended for name, (ended, _) in self.group.fallen.items()}
        lost |= {arm.name: arm.ended for arm in self.group.arms if arm.ended is not None}
        for name in sorted(lost.keys() - {job.id for job in self.group.jobs}):
            said = f"{name} {lost[name].status} as the measure of the others' latency: {lost[name].reason}"
            self.group.bench.notify(Progress(cell="", stage="note", note=said))

    def _is_lasting(self, result: CellResult) -> bool:
        """Whether its timings are worth keeping: not when a baseline was planned and its processes failed."""
        if not result.timings or self.group.bench.plan.baseline is None:
            return True
        whole = {arm.name for arm in self.group.arms if arm.ended is None}
        return self.group.baseline is not None and {self.group.baseline.id, self.group.control} <= whole


def _end(result: CellResult, ended: CellEndedError, tail: tuple[str, ...]) -> CellResult:
    return msgspec.structs.replace(result, status=ended.status, reason=ended.reason, log_tail=tail)
