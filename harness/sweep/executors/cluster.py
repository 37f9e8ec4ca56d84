"""Run the cells of a sweep on the workers of a dask.distributed cluster, and keep what they found here."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from harness.errors import MachineError, UsageError
from harness.files import write_whole
from harness.records import CellResult, CellStatus, Notify, Progress
from harness.runs.find import read_durations
from harness.store.store import Store
from harness.sweep.executors.crew import Address, Crew, NoWorkerError, Work
from harness.sweep.executors.parcel import Outcome, Source, Task, pack, slim
from harness.sweep.executors.task_process import STORE_VARIABLE
from harness.sweep.jobs import Job, SweepContext, is_timed
from harness.sweep.latency_phase import can_be_timed
from harness.sweep.schedule import Executor

if TYPE_CHECKING:
    from distributed import Future, SpecCluster

WORKER_TTL = "60s"
"""The silence after which dask gives up a frozen worker, which is still connected; its default is 5 minutes.

The event loop of a worker sends two heartbeats in a second, also while a cell runs: that is in processes of
its own. Dask looks once in this time, so it takes up to twice as long.
"""

_APPENDED = "log.txt"
_OWN_STAGES = frozenset({*get_args(CellStatus), "reused", "waiting"})
"""Stages that the client reports when it has the result; until then a worker may still be lost."""


@asynccontextmanager
async def open_cluster(
    address: Address, store: Store, source: Source, reports: Path, notify: Notify
) -> AsyncIterator[Executor]:
    """Connect to a cluster, or start one on this machine, and wait for its workers.

    The durations of past runs below ``reports`` say which cells are given out first.

    Certificates and all else are those of dask's configuration.

    Raises:
        UsageError: dask.distributed is not installed, or the workers are of several machine classes.
        MachineError: there is no scheduler at this address.
        NoWorkerError: there is no worker.
    """
    notify(Progress(cell="", stage="waiting", note="the workers of the cluster"))
    try:
        from distributed import Client  # noqa: PLC0415 # an extra
    except ImportError as error:
        raise UsageError(
            f"--executor: dask.distributed is not installed ({error}); install "
            "embedding-parity-harness[cluster]"
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # the crew says what it means for the sweep
    async with AsyncExitStack() as stack:
        target: Any = address.scheduler
        try:
            if not target:
                target = await stack.enter_async_context(_make_local(address.workers, store))
            client = await stack.enter_async_context(Client(target, asynchronous=True, set_as_default=False))
        except (OSError, TimeoutError) as error:
            raise MachineError(
                f"no scheduler of dask at {address.scheduler or 'this machine'} ({error}); start one with "
                "`dask scheduler`"
            ) from error
        crew = Crew(client, address, notify)
        await crew.gather()
        client.subscribe_topic(crew.topic, partial(_relay, notify))
        yield Cluster(crew, source, reports).executor


def _make_local(workers: int, store: Store) -> SpecCluster:
    """A cluster on this machine; a worker has one cell at a time, and a store beside that of the client."""
    from distributed import Nanny, Scheduler, SpecCluster  # noqa: PLC0415 # an extra

    host = "127.0.0.1"
    return SpecCluster(
        scheduler={
            "cls": Scheduler,
            "options": {
                "host": host,
                "port": 0,
                "dashboard": False,
                "dashboard_address": f"{host}:0",
                "worker_ttl": WORKER_TTL,
            },
        },
        workers={
            number: {
                "cls": Nanny,
                "options": {
                    "host": host,
                    "nthreads": 1,
                    "memory_limit": 0,  # cells have limits of their own
                    "env": {STORE_VARIABLE: f"{store.root}-worker-{number}"},
                    "silence_logs": logging.CRITICAL,
                },
            }
            for number in range(1, workers + 1)
        },
        asynchronous=True,
        silence_logs=logging.CRITICAL,
    )


@dataclass
class Cluster:
    """The workers, where they get what does not travel, past runs, and what travels to each worker once."""

    crew: Crew
    source: Source
    reports: Path
    parcel: Future[bytes] | None = None

    @property
    def executor(self) -> Executor:
        """The executor of a sweep on this cluster."""
        room = sum(seat.room for seat in self.crew.seats.values())
        crew = self.crew
        return Executor(self.check, self.measure, machine=crew.machine, jobs=room, isolation=crew.isolation)

    async def check(self, context: SweepContext, jobs: list[Job], baseline: Job | None) -> None:
        """Run the checks of every job without a result; see ``harness.sweep.schedule.Executor``.

        Raises:
            UsageError: the first cell shows that the subject is not what the matrix says.
            NoWorkerError: no worker ran any cell.
            MachineError: the scheduler has gone.
        """
        due = await asyncio.to_thread(self._order, [job for job in jobs if job.result is None], baseline)
        fresh = len(due) == len(jobs)  # else the subject has run in an earlier cell
        works = [Work(_make_task(context, job.id, [job], decides=fresh and job is due[0])) for job in due]
        for job in due:
            context.report(job.id, "queued")
        timed = context.options.latency and bool(context.plan.scenarios)
        async for outcome, found in self._run(context, works, due):
            for job in found:
                job.result = _take_result(context, job, outcome)
                context.results.store_checks(job.result, context.folder.cell(job.id), context.inputs.secrets)
                context.folder.write_result(job.result)
                job.measured = not (timed and is_timed(job.result))
                if job.measured:
                    context.report_result(job.result)
                else:
                    context.report(job.id, "waiting")
        results = [job.result for job in jobs if job.result is not None]
        if results and all(result.status == "missing" for result in results):
            raise NoWorkerError(f"no cell has a result: {results[-1].reason}")

    def _order(self, jobs: list[Job], baseline: Job | None) -> list[Job]:
        """The baseline first, because it decides, then cells without a past duration, then the longest."""
        usual = read_durations(self.reports, [job.id for job in jobs])
        return sorted(jobs, key=lambda job: (job is not baseline, -usual.get(job.id, math.inf)))

    async def measure(self, context: SweepContext, jobs: list[Job], baseline: Job | None, key: str) -> None:
        """Measure the latency of every job without timings, a block on each machine at once.

        A block has the baseline and its A/A arm with it, so ratios are within one machine and one block.

        Raises:
            MachineError: the scheduler has gone.
        """
        usable = baseline if baseline is not None and can_be_timed(baseline) else None
        pending = sorted((job for job in jobs if not job.measured), key=lambda job: job is not usable)
        machines = {seat.facts.kernel for seat in self.crew.seats.values()}
        works = [
            Work(_make_task(context, f"block-{number}", block, baseline=usable, latency=key))
            for number, block in enumerate(deal(pending, max(1, len(machines))), 1)
        ]
        async for outcome, found in self._run(context, works, pending, alone=True):
            if not outcome.results:
                names = ", ".join(job.id for job in found)
                context.report("", "note", f"latency is not measured in {names}: {outcome.fault}")
            for job in found:
                measured = _take_result(context, job, outcome) if outcome.results else job.result
                assert measured is not None  # noqa: S101 - the checks precede latency
                job.result = msgspec.structs.replace(measured, run=context.plan.run)
                job.measured = True
                if job.id in outcome.kept:
                    folder = context.folder.cell(job.id)
                    context.results.store_latency(job.result, key, folder, context.inputs.secrets)
                context.folder.write_result(job.result)
                context.report_result(job.result)

    async def _run(
        self, context: SweepContext, works: Sequence[Work], jobs: Sequence[Job], *, alone: bool = False
    ) -> AsyncIterator[tuple[Outcome, list[Job]]]:
        """Run tasks, and yield each outcome with its jobs."""
        if self.parcel is None:
            self.parcel = await self._send_parcel(context)
        async for work, outcome in self.crew.run(works, self.parcel, alone=alone):
            if outcome.refused:
                raise UsageError(outcome.refused)
            yield outcome, [job for job in jobs if job.id in work.task.keys]

    async def _send_parcel(self, context: SweepContext) -> Future[bytes]:
        """Send the inputs of all cells; dask keeps them, and passes them on from worker to worker."""
        scheduler = str(self.crew.client.scheduler.address)
        passed = context.inputs.subject.pass_env
        if passed and not scheduler.startswith("tls://") and "://127.0.0.1" not in scheduler:
            raise UsageError(
                f"{context.plan.matrix_path}: subject.pass-env: {', '.join(passed)} would travel to "
                f"{scheduler} unencrypted; use tls://"
            )
        data = await asyncio.to_thread(pack, context.inputs, self.source)
        key = f"{self.crew.topic}-parcel"
        future: Future[bytes] = self.crew.client.submit(bytes, data, key=key, pure=False)
        return future


def deal(jobs: Sequence[Job], hands: int) -> list[list[Job]]:
    """Deal jobs into at most this many blocks of about equal size."""
    blocks: list[list[Job]] = [list(jobs[start::hands]) for start in range(min(hands, len(jobs)))]
    return blocks


def _make_task(  # noqa: PLR0913 - one parameter a field
    context: SweepContext,
    name: str,
    jobs: Sequence[Job],
    *,
    decides: bool = False,
    baseline: Job | None = None,
    latency: str = "",
) -> Task:
    plan = slim(context.plan, [job.planned for job in jobs], baseline.planned if baseline else None)
    run = f"{plan.run}.{name}" if latency else plan.run  # the name of the session of its timings
    known: Iterable[Job] = jobs if baseline is None or baseline in jobs else (*jobs, baseline)
    return Task(
        name=name,
        plan=msgspec.structs.replace(plan, run=run),
        keys={job.id: job.key for job in jobs},
        limits=context.options.limits,
        fresh=context.options.fresh or context.options.rerun,
        decides=decides,
        results=tuple(job.result for job in known if job.result is not None),
        baseline="" if baseline is None else baseline.id,
        latency=latency,
    )


def _take_result(context: SweepContext, job: Job, outcome: Outcome) -> CellResult:
    """The result of a job, with its files in its folder; ``missing``, with the reason, if no worker ran it.

    The log of latency follows that of the checks.
    """
    folder = context.folder.cell(job.id)
    for name, content in outcome.files.get(job.id, {}).items():
        path = folder / name
        before = path.read_bytes() if name == _APPENDED and path.is_file() else b""
        write_whole(path, before + content)
    missing = CellResult(
        cell=job.id, key=job.key, run=context.plan.run, status="missing", reason=outcome.fault
    )
    return next((result for result in outcome.results if result.cell == job.id), missing)


def _relay(notify: Notify, event: tuple[float, Any]) -> None:
    """Show what a worker does; what it has found is shown when it is here."""
    host, line = event[1]
    progress = msgspec.json.decode(line, type=Progress)
    if progress.stage == "note":
        notify(msgspec.structs.replace(progress, note=f"{host}: {progress.note}"))
    elif progress.stage not in _OWN_STAGES:
        notify(msgspec.structs.replace(progress, host=host))
