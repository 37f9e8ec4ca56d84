"""A sweep: every planned cell gets a result, whatever becomes of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec

from harness.records import CellResult, Notify, Plan, PlannedCell
from harness.runs.folder import RunFolder
from harness.store.environments import Environment
from harness.store.material import CellInputs, Inputs
from harness.store.result_store import ResultStore, key_latency
from harness.sweep.interrupt import one_error
from harness.sweep.jobs import Bench, Job, reuse_results, run_contracts
from harness.sweep.latency_phase import measure_latency
from harness.sweep.limits import Options, Watch

_OTHER_SWEEP = "another sweep measures latency; this one goes on when that is over"


@dataclass(frozen=True)
class Supplies:
    """Where a sweep takes from and puts to: material, environments, stored results, the folder of the run."""

    material: CellInputs
    environment: Environment
    results: ResultStore
    folder: RunFolder


@dataclass(frozen=True)
class Swept:
    """What a sweep leaves: a result for each planned cell, in the order of the plan.

    ``reused`` names the cells for which nothing had to be run; ``seconds`` is the wall time of each phase.
    """

    results: tuple[CellResult, ...]
    reused: tuple[str, ...]
    seconds: dict[str, float]


async def sweep(plan: Plan, supplies: Supplies, options: Options, notify: Notify) -> Swept:
    """Run every planned cell that has no result yet.

    When it is cancelled (see ``run_interruptibly``) every child is ended; results that are finished by then
    are in the result store, and the next sweep carries on from there.

    Raises:
        HarnessError: the harness or the machine failed; a cell that fails gets a status instead.
    """
    with one_error():
        async with AsyncExitStack() as stack:
            watch = await stack.enter_async_context(Watch(options.container))
            bench = Bench(
                plan=plan,
                material=supplies.material,
                environment=supplies.environment,
                results=supplies.results,
                folder=supplies.folder,
                options=options,
                notify=notify,
                watch=watch,
                cores=asyncio.Semaphore(options.jobs),
                inputs=await asyncio.to_thread(Inputs.of, supplies.material),
            )
            jobs = [_make_job(bench, planned) for planned in plan.cells if _runs_itself(planned)]
            baseline = _find_baseline(bench, jobs)
            latency = key_latency("" if baseline is None else baseline.key, plan.scenarios)
            stack.enter_context(bench.results.begin(plan.run))
            _describe_unsatisfiable(bench)
            reuse_results(bench, jobs, latency)
            seconds = await _run_phases(bench, jobs, baseline, latency)
            return _finish(bench, jobs, seconds)


def _runs_itself(planned: PlannedCell) -> bool:
    return planned.same_as is None and not planned.lock.reason


def _describe_unsatisfiable(bench: Bench) -> None:
    """At once: nothing of them will run."""
    for planned in bench.plan.cells:
        if planned.lock.reason:
            bench.tell(planned.cell.id, "unsatisfiable", planned.lock.reason)


def _make_job(bench: Bench, planned: PlannedCell) -> Job:
    return Job(planned, bench.material.make_key(planned.lock, bench.plan.machine.get("class", "")))


def _find_baseline(bench: Bench, jobs: list[Job]) -> Job | None:
    """Who latency is compared with; where the selection leaves it out, it only stands by."""
    plan = bench.plan
    planned = plan.baseline_cell or next((each for each in plan.cells if each.cell.baseline), None)
    if planned is None or planned.lock.reason:
        return None
    wanted = planned.same_as or planned.cell.id
    there = [job for job in jobs if job.id == wanted]
    return there[0] if there else _make_job(bench, planned)


async def _run_phases(bench: Bench, jobs: list[Job], baseline: Job | None, latency: str) -> dict[str, float]:
    since = time.monotonic()
    seconds: dict[str, float] = {}
    try:
        await run_contracts(bench, jobs, baseline)
        seconds["contract"] = round(time.monotonic() - since, 3)
        since = time.monotonic()
        if any(not job.measured for job in jobs):
            # Two sweeps at once take turns.
            async with bench.results.store.lock("latency", lambda: bench.tell("", "note", _OTHER_SWEEP)):
                await measure_latency(bench, jobs, baseline, latency)
            seconds["latency"] = round(time.monotonic() - since, 3)
    finally:
        waiting = [job.member for job in jobs if job.member is not None]
        await asyncio.gather(*(member.end() for member in waiting))
    return seconds


def _finish(bench: Bench, jobs: list[Job], seconds: dict[str, float]) -> Swept:
    done = {job.id: job.result for job in jobs if job.result is not None}
    results = tuple(_find_result(bench, planned, done) for planned in bench.plan.cells)
    for planned, result in zip(bench.plan.cells, results, strict=True):
        if not _runs_itself(planned):
            bench.folder.write_result(result)
        if planned.same_as is not None:
            bench.tell(result.cell, result.status, f"as {planned.same_as}")
    bench.results.finish(sorted({bench.plan.run, *(result.run for result in results)}))
    reused = {job.id for job in jobs if job.reused}
    cells = [planned for planned in bench.plan.cells if (planned.same_as or planned.cell.id) in reused]
    return Swept(results, tuple(planned.cell.id for planned in cells), seconds)


def _find_result(bench: Bench, planned: PlannedCell, done: dict[str, CellResult]) -> CellResult:
    """Its own result, that of the cell whose run it shares, or why there cannot be one."""
    cell, reason = planned.cell.id, planned.lock.reason
    if reason:
        return CellResult(cell=cell, key="", run=bench.plan.run, status="unsatisfiable", reason=reason)
    return msgspec.structs.replace(done[planned.same_as or cell], cell=cell)
