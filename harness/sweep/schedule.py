"""Run a sweep: reuse stored results, run the check phase, then latency; every planned cell gets a result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.isolation import Isolation
from harness.records import CellResult, Notify, Plan, PlannedCell
from harness.runs.folder import RunFolder
from harness.store.environments import Environment
from harness.store.inputs import CellInputs, SharedFiles
from harness.store.result_store import ResultStore, key_latency
from harness.sweep.interrupt import one_error
from harness.sweep.jobs import Job, SweepContext, reuse_results, run_checks
from harness.sweep.latency_phase import measure_latency
from harness.sweep.limits import Options, Watch
from harness.sweep.vector_comparison import add_comparisons


@dataclass(frozen=True)
class Supplies:
    """Inputs, environments and stored results of a sweep, and the folder of its run.

    ``before`` is the file of vectors to compare with if the plan has no baseline.
    """

    inputs: CellInputs
    environment: Environment
    results: ResultStore
    folder: RunFolder
    before: Path | None = None


@dataclass(frozen=True)
class Executor:
    """Where cells run: in processes of this machine, or on the workers of a cluster (``executors``).

    ``check`` gives a result to every job without one; its last argument is the baseline. ``measure`` gives
    timings to every job without them; its last argument is the key under which they are stored. ``machine``
    are the facts about the machines, ``jobs`` the cells at once, and ``isolation`` what is in force for them,
    where it is not this machine.
    """

    check: Callable[[SweepContext, list[Job], Job | None], Awaitable[None]]
    measure: Callable[[SweepContext, list[Job], Job | None, str], Awaitable[None]]
    machine: Mapping[str, str] | None = None
    jobs: int | None = None
    isolation: Isolation | None = None


LOCAL = Executor(run_checks, measure_latency)


@dataclass(frozen=True)
class Swept:
    """The outcome of a sweep: a result for each planned cell, in the order of the plan.

    ``reused`` names the cells with stored results; ``seconds`` is the wall time of each phase.
    """

    results: tuple[CellResult, ...]
    reused: tuple[str, ...]
    seconds: dict[str, float]


@asynccontextmanager
async def open_context(
    plan: Plan, supplies: Supplies, options: Options, notify: Notify
) -> AsyncIterator[SweepContext]:
    """What the cells of a sweep share, while their processes are under watch.

    Raises:
        HarnessError: the sweep itself failed; of errors of several cells, the most informative one.
    """
    with one_error():
        async with Watch(options.container) as watch:
            yield SweepContext(
                plan=plan,
                inputs=supplies.inputs,
                environment=supplies.environment,
                results=supplies.results,
                folder=supplies.folder,
                options=options,
                notify=notify,
                watch=watch,
                cores=asyncio.Semaphore(options.jobs),
                shared_files=await asyncio.to_thread(SharedFiles.of, supplies.inputs),
            )


async def sweep(
    plan: Plan, supplies: Supplies, options: Options, notify: Notify, executor: Executor = LOCAL
) -> Swept:
    """Run every planned cell that has no stored result.

    Cancellation (see ``run_interruptibly``) ends every child; finished results are in the result store, and
    the next sweep continues from them.

    Raises:
        HarnessError: the sweep itself failed; a failing cell gets a status instead.
    """
    async with open_context(plan, supplies, options, notify) as context:
        jobs = [make_job(context, planned) for planned in plan.cells if _runs_itself(planned)]
        baseline = _find_baseline(context, jobs)
        latency = key_latency("" if baseline is None else baseline.key, plan.scenarios)
        with context.results.begin(plan.run):
            _describe_unsatisfiable(context)
            reuse_results(context, jobs, latency)
            seconds = await _run_phases(context, executor, jobs, baseline, latency)
            return await asyncio.to_thread(_finish, context, jobs, seconds, supplies.before)


def _runs_itself(planned: PlannedCell) -> bool:
    return planned.same_as is None and not planned.lock.reason


def _describe_unsatisfiable(context: SweepContext) -> None:
    """Report the unsatisfiable cells at the start, because none of them will run."""
    for planned in context.plan.cells:
        if planned.lock.reason:
            context.report(planned.cell.id, "unsatisfiable", planned.lock.reason)


def make_job(context: SweepContext, planned: PlannedCell) -> Job:
    """A planned cell as a job, with the key of its result."""
    return Job(planned, context.inputs.make_key(planned.lock, context.plan.machine.get("class", "")))


def _find_baseline(context: SweepContext, jobs: list[Job]) -> Job | None:
    """The latency reference; one that the selection leaves out runs as reference only."""
    plan = context.plan
    planned = plan.baseline_cell or next((each for each in plan.cells if each.cell.baseline), None)
    if planned is None or planned.lock.reason:
        return None
    wanted = planned.same_as or planned.cell.id
    there = [job for job in jobs if job.id == wanted]
    return there[0] if there else make_job(context, planned)


async def _run_phases(
    context: SweepContext, executor: Executor, jobs: list[Job], baseline: Job | None, latency: str
) -> dict[str, float]:
    since = time.monotonic()
    seconds: dict[str, float] = {}
    try:
        await executor.check(context, jobs, baseline)
        seconds["contract"] = round(time.monotonic() - since, 3)
        since = time.monotonic()
        if any(not job.measured for job in jobs):
            await executor.measure(context, jobs, baseline, latency)
            seconds["latency"] = round(time.monotonic() - since, 3)
    finally:
        waiting = [job.worker for job in jobs if job.worker is not None]
        await asyncio.gather(*(worker.end() for worker in waiting))
    return seconds


def _finish(context: SweepContext, jobs: list[Job], seconds: dict[str, float], before: Path | None) -> Swept:
    done = {job.id: job.result for job in jobs if job.result is not None}
    measured = tuple(_find_result(context, planned, done) for planned in context.plan.cells)
    results = add_comparisons(context.plan, measured, context.folder, before)
    for planned, result, bare in zip(context.plan.cells, results, measured, strict=True):
        if not _runs_itself(planned) or result is not bare:
            context.folder.write_result(result)
        if planned.same_as is not None:
            context.report(result.cell, result.status, f"as {planned.same_as}")
    context.results.finish(sorted({context.plan.run, *(result.run for result in results)}))
    reused = {job.id for job in jobs if job.reused}
    cells = [planned for planned in context.plan.cells if (planned.same_as or planned.cell.id) in reused]
    return Swept(results, tuple(planned.cell.id for planned in cells), seconds)


def _find_result(context: SweepContext, planned: PlannedCell, done: dict[str, CellResult]) -> CellResult:
    """The cell's own result, that of the cell whose run it shares, or the status ``unsatisfiable``."""
    cell, reason = planned.cell.id, planned.lock.reason
    if reason:
        return CellResult(cell=cell, key="", run=context.plan.run, status="unsatisfiable", reason=reason)
    return msgspec.structs.replace(done[planned.same_as or cell], cell=cell)
