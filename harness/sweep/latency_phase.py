"""The latency phase: groups of resident processes take turns; memory limits the size of a group."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec

from harness.records import CellResult, Progress, Timing
from harness.store.inputs import invalidate
from harness.sweep import protocol
from harness.sweep.cell_process import CellProcess
from harness.sweep.jobs import Job, Launch, SweepContext, Worker, is_timed
from harness.sweep.latency_turns import Arm, Turns, draw_core
from harness.sweep.protocol import CellEndedError

CONTROL = "aa."
"""Prefix of the A/A arm, a second process of the baseline, which measures the noise floor."""

_LEAST = 256 * 1024**2
_OTHER_SWEEP = "another sweep measures latency; this sweep waits until it is done"


@dataclass
class Group:
    """Processes that are resident together: the baseline, its A/A arm, and jobs; ``stack`` ends all of them.

    Attributes:
        baseline: the cell that all ratios refer to; measured itself only if it is pending.
        label: distinguishes the files of groups.
        jobs: the jobs whose timings this group measures.
        arms: the processes that take turns, the baseline first, the A/A arm second.
        failed: why a process ended before its first scenario, with the last lines of its log, by name.
    """

    context: SweepContext
    baseline: Job | None
    label: str
    stack: AsyncExitStack
    jobs: list[Job] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)
    workers: dict[str, Worker] = field(default_factory=dict)
    failed: dict[str, tuple[CellEndedError, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def control(self) -> str | None:
        """The name of the A/A arm."""
        return None if self.baseline is None else CONTROL + self.baseline.id

    async def gather(self, pending: list[Job]) -> None:
        """Adopt the waiting processes, then start baseline, A/A arm, and the jobs that fit in memory."""
        for job in pending:
            if job.worker is not None:
                self.jobs.append(job)
                self._add(job.id, job.worker)
                job.worker = None
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
        """Whether memory allows one more process; the first of a group always starts."""
        if not self.jobs:
            return True
        largest = max((job.result.peak_rss for job in self.jobs if job.result is not None), default=0)
        options = self.context.options
        free = options.container.measure_free_memory() - options.reserve
        return free > max(largest, _LEAST) * (starting + 1)

    async def _start(self, name: str, job: Job) -> None:
        own = name == job.id and job in self.jobs
        label = "latency" if own else f"latency-{self.label}"
        benchmark = "benchmark.json" if own else f"benchmark.{label}.json"
        worker = Worker(
            self.context, Launch(job.planned, name, ("latency",), f"spec.{label}.json", benchmark)
        )
        self.stack.push_async_callback(worker.end)
        try:
            await worker.get_environment()
            async with self.context.cores:
                await worker.start()
                await wait_until_ready(worker.process)
        except CellEndedError as ended:
            self.failed[name] = (ended, worker.read_tail())
            await worker.end()
        else:
            self._add(name, worker)
            self.context.report(name, "waiting")

    def _add(self, name: str, worker: Worker) -> None:
        self.stack.push_async_callback(worker.end)
        self.workers[name] = worker
        self.arms.append(Arm(name, worker.process))


async def wait_until_ready(process: CellProcess) -> None:
    """Receive events until the first scenario is set up, after all imports."""
    while True:
        event = await process.receive(process.limits.setup, f"the start (limit {process.limits.setup:g} s)")
        if isinstance(event, protocol.Ready | protocol.Untimed | protocol.Finished):
            process.put_back(event)
            return


async def measure_latency(context: SweepContext, jobs: list[Job], baseline: Job | None, key: str) -> None:
    """Measure every job without timings; ``key`` is the latency key under which they are stored.

    Concurrent sweeps that share a store measure one after the other.
    """
    async with context.results.store.lock("latency", lambda: context.report("", "note", _OTHER_SWEEP)):
        await _measure_groups(context, jobs, baseline, key)


async def _measure_groups(context: SweepContext, jobs: list[Job], baseline: Job | None, key: str) -> None:
    number = 0
    while pending := [job for job in jobs if not job.measured]:
        number += 1
        usable = baseline if baseline is not None and can_be_timed(baseline) else None
        async with AsyncExitStack() as stack:
            group = Group(context, usable, str(number), stack)
            await group.gather(pending)
            session = Session(group, f"{context.plan.run}.{number}")
            await session.measure()
        session.describe_lost()
        for job in group.jobs:
            session.conclude(job, key)


def can_be_timed(baseline: Job) -> bool:
    """Whether a baseline can be the reference of ratios."""
    return baseline.result is None or is_timed(baseline.result)  # no result: it serves as reference only


@dataclass
class Session:
    """The measurement of one group: its timings by arm, and the results of its jobs."""

    group: Group
    name: str
    timings: dict[str, list[Timing]] = field(default_factory=dict)
    seconds: float = 0.0

    async def measure(self) -> None:
        """Measure the scenarios in order, then let all processes exit."""
        since = time.monotonic()
        context = self.group.context
        order = random.Random(context.options.seed)  # noqa: S311 - the order of turns is no secret
        scenarios, core = context.plan.scenarios, draw_core(order, context.inputs.threads)
        for done, scenario in enumerate(scenarios, 1):
            self._store(await Turns(scenario, order, core).measure(self.group.arms))
            for job in self.group.jobs:
                context.notify(Progress(cell=job.id, stage="latency", done=done, total=len(scenarios)))
        await asyncio.gather(*(arm.leave() for arm in self.group.arms))
        self.seconds = round(time.monotonic() - since, 3)

    def _store(self, timed: dict[str, protocol.Timed]) -> None:
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
        """Complete the result of a job, store it, and report the status of the cell."""
        assert job.result is not None  # noqa: S101 - the check phase precedes every group
        context = self.group.context
        arms = {arm.name: arm for arm in self.group.arms}
        arm = arms.get(job.id)
        if arm is None:
            job.result = _end(job.result, *self.group.failed[job.id])
        else:
            job.result = self._complete(job, job.result, arm.process)
            if edits := (*arm.process.edited, *context.shared_files.find_edits()):
                job.result = invalidate(job.result, edits)
            elif arm.ended is not None:
                job.result = _end(job.result, arm.ended, arm.process.read_tail())
            elif self._is_reusable(job.result):
                folder = context.folder.cell(job.id)
                context.results.store_latency(job.result, key, folder, context.inputs.secrets)
                job.kept = True
        job.result = msgspec.structs.replace(job.result, run=context.plan.run)
        job.measured = True
        context.folder.write_result(job.result)
        context.report_result(job.result)

    def _complete(self, job: Job, result: CellResult, process: CellProcess) -> CellResult:
        return msgspec.structs.replace(
            result,
            run=self.group.context.plan.run,
            timings=tuple(self.timings.get(job.id, ())),
            untimed=dict(process.record.untimed),
            seconds={**result.seconds, "latency": self.seconds},
            peak_rss=max(result.peak_rss, self.group.workers[job.id].peak),
        )

    def describe_lost(self) -> None:
        """Report lost reference processes: ratios or the noise floor are missing without them."""
        lost = {name: ended for name, (ended, _) in self.group.failed.items()}
        lost |= {arm.name: arm.ended for arm in self.group.arms if arm.ended is not None}
        for name in sorted(lost.keys() - {job.id for job in self.group.jobs}):
            note = (
                f"{name} {lost[name].status} as the latency reference of the other cells: {lost[name].reason}"
            )
            self.group.context.notify(Progress(cell="", stage="note", note=note))

    def _is_reusable(self, result: CellResult) -> bool:
        """Whether later runs may reuse the timings: not if the processes of a planned baseline failed."""
        if not result.timings or self.group.context.plan.baseline is None:
            return True
        whole = {arm.name for arm in self.group.arms if arm.ended is None}
        return self.group.baseline is not None and {self.group.baseline.id, self.group.control} <= whole


def _end(result: CellResult, ended: CellEndedError, tail: tuple[str, ...]) -> CellResult:
    return msgspec.structs.replace(result, status=ended.status, reason=ended.reason, log_tail=tail)
