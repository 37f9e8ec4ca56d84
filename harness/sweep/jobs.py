"""The check phase of a sweep: each planned cell is reused from the store, or run in a process of its own."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from harness.cell.interface import list_measured_by, load_checks
from harness.errors import StoreError, UsageError
from harness.files import describe_os_error, redact_file, take_file
from harness.held import temporary_folder
from harness.isolation import Isolation
from harness.judge.cell_verdicts import judge_checked
from harness.records import CellResult, Notify, Plan, PlannedCell, Progress
from harness.runs.folder import VECTORS, RunFolder
from harness.store.environments import Environment
from harness.store.inputs import CellInputs, SharedFiles, find_environment_edits, invalidate
from harness.store.manifest import BytecodePool
from harness.store.result_store import ResultStore
from harness.sweep.cell_process import CellProcess, Start
from harness.sweep.limits import Options, Watch
from harness.sweep.protocol import CellEndedError, CellRecord, SubjectRefusedError


@dataclass(frozen=True)
class SweepContext:
    """Plan, inputs, stores and options that all cells of one sweep share."""

    plan: Plan
    inputs: CellInputs
    environment: Environment
    results: ResultStore
    folder: RunFolder
    options: Options
    notify: Notify
    watch: Watch
    cores: asyncio.Semaphore
    shared_files: SharedFiles
    bytecode: BytecodePool = field(default_factory=BytecodePool)

    def report(self, cell: str, stage: str, note: str = "") -> None:
        """Report the stage of a cell."""
        self.notify(Progress(cell=cell, stage=stage, note=note))

    def report_result(self, result: CellResult) -> None:
        """Report the final status of a cell by the severity of its failures, as far as one cell shows it."""
        self.report(result.cell, *judge_checked(self.plan, result, load_checks()))


@dataclass(frozen=True)
class Launch:
    """A cell process to start: the planned cell, its name and phases, and the names of its files."""

    planned: PlannedCell
    name: str
    phases: tuple[str, ...]
    spec: str = "spec.json"
    benchmark: str = "benchmark.json"

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases that the process has to report."""
        return list_measured_by("cell", self.planned.cases)


@dataclass
class Worker:
    """A cell process with its environment and working folder; ``process`` is valid after ``start``."""

    context: SweepContext
    launch: Launch
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    seconds: float = 0.0
    _python: Path | None = None
    _process: CellProcess | None = None

    @property
    def process(self) -> CellProcess:
        """The running process."""
        assert self._process is not None, "not started"  # noqa: S101 - a fault of this program
        return self._process

    @property
    def started(self) -> bool:
        """Whether the process has been started."""
        return self._process is not None

    @property
    def log(self) -> Path:
        """The file that its output is appended to."""
        return self.context.folder.cell(self.launch.name) / "log.txt"

    async def get_environment(self) -> None:
        """Obtain the environment, without using a core of the sweep.

        Raises:
            CellEndedError: it cannot be installed.
        """
        since = time.monotonic()
        context, launch = self.context, self.launch
        context.report(launch.name, "environment")
        try:
            self._python = await self.stack.enter_async_context(
                context.environment(
                    launch.planned.cell,
                    launch.planned.lock,
                    lambda note: context.report(launch.name, "environment", note),
                )
            )
        except StoreError as error:
            raise CellEndedError("install-error", str(error)) from error
        self.seconds = time.monotonic() - since
        context.report(launch.name, "queued")

    async def share_bytecode(self) -> None:
        """Offer the bytecode of what it has imported to other cells."""
        if self._python is not None:
            made = self.process.spec.bytecode
            await self.context.bytecode.take(self._python.parent.parent, Path(made) if made else None)

    async def start(self) -> None:
        """Start the process in its environment.

        Raises:
            CellEndedError: the interpreter cannot be started.
        """
        context, launch = self.context, self.launch
        assert self._python is not None, "no environment yet"  # noqa: S101 - a fault of this program
        context.bytecode.give(self._python.parent.parent)
        folder = context.folder.cell(launch.name)
        workdir = self.stack.enter_context(temporary_folder("cell"))
        spec = context.inputs.make_spec(launch.name, launch.planned.lock, workdir, launch.phases)
        if "contract" in launch.phases:
            spec = replace(spec, vectors=str(workdir / VECTORS))
        if "latency" in launch.phases:
            self.stack.callback(take_file, workdir / launch.benchmark, folder / launch.benchmark)
            spec = replace(
                spec,
                scenarios=tuple(scenario.id for scenario in context.plan.scenarios),
                benchmark_json=str(workdir / launch.benchmark),
            )
        start = Start(self._python, context.inputs, spec, folder / launch.spec, self.log)
        planned = len(launch.cases) if "contract" in launch.phases else 0
        try:
            self._process = await CellProcess.start(
                start, context.options.limits, context.watch, context.notify, planned
            )
        except OSError as error:
            raise CellEndedError(
                "install-error", f"its interpreter cannot be started: {describe_os_error(error, folder)}"
            ) from error
        self.stack.push_async_callback(self._process.end)
        self._process.record.seconds["environment"] = self.seconds

    def take_vectors(self) -> None:
        """Copy the vectors that it has recorded into the folder of the cell, before it can change them.

        Raises:
            CellEndedError: no room, no permission.
        """
        if self.started and self.process.spec.vectors:
            folder = self.context.folder.cell(self.launch.name)
            try:
                take_file(Path(self.process.spec.vectors), folder / VECTORS)
            except OSError as error:
                raise CellEndedError("install-error", describe_os_error(error, folder)) from error

    async def find_edits(self) -> tuple[str, ...]:
        """The input files, of this cell or shared, that have changed since the start."""
        if self._python is None or not self.started:
            return ()
        shared = await asyncio.to_thread(self.context.shared_files.find_edits)
        environment = await asyncio.to_thread(find_environment_edits, self._python)
        return (*await self.process.find_edits(), *shared, *environment)

    def read_tail(self) -> tuple[str, ...]:
        """The last lines of its output; empty if it was never started."""
        return self.process.read_tail() if self.started else ()

    async def end(self) -> None:
        """End the process, release its environment and folder, and redact its files."""
        await self.stack.aclose()
        folder = self.context.folder.cell(self.launch.name)
        for path in (self.log, folder / self.launch.benchmark):
            redact_file(path, self.context.inputs.secrets)

    @property
    def peak(self) -> int:
        """The peak resident bytes of the process and its descendants."""
        return max(self.process.record.peak_rss, self.process.watched.peak)


@dataclass
class Job:
    """A planned cell with a run of its own: the result so far, and its process while it waits for latency."""

    planned: PlannedCell
    key: str
    result: CellResult | None = None
    measured: bool = False  # its timings are complete, or none will be taken
    reused: bool = False
    kept: bool = False  # its timings are stored for later runs
    worker: Worker | None = None

    @property
    def id(self) -> str:
        """The id of its cell."""
        return self.planned.cell.id


async def run_checks(
    context: SweepContext, jobs: list[Job], baseline: Job | None, *, first: bool = True
) -> None:
    """Run the check phase of every job without a result, the baseline first, ``options.jobs`` at once.

    Jobs whose process stays resident for latency keep it in ``worker``; the caller must end those. ``first``:
    the subject has not run anywhere else before.

    Raises:
        UsageError: the first cell shows that the subject is not what the matrix says.
    """
    due = sorted((job for job in jobs if job.result is None), key=lambda job: job is not baseline)
    async with asyncio.TaskGroup() as group:
        for job in due:
            # Else the subject has run in an earlier cell.
            decides = first and job is due[0] and len(due) == len(jobs)
            group.create_task(_run(context, job, jobs, baseline, decides=decides))


async def _run(
    context: SweepContext, job: Job, jobs: list[Job], baseline: Job | None, *, decides: bool
) -> None:
    keeps_running = context.options.latency and bool(context.plan.scenarios)
    launch = Launch(job.planned, job.id, ("contract", "latency") if keeps_running else ("contract",))
    worker = Worker(context, launch)
    try:
        job.result = await _run_check_phase(
            context, job, worker, keeps_running=keeps_running, decides=decides
        )
        context.results.store_checks(job.result, context.folder.cell(job.id), context.inputs.secrets)
        context.folder.write_result(job.result)
        if not keeps_running or not is_timed(job.result):
            job.measured = True
        elif keeps_running and (job is baseline or _fits_in_memory(context, jobs)):
            job.worker = worker
    finally:
        if job.worker is None:
            await worker.end()
    if job.measured:
        context.report_result(job.result)
    else:
        context.report(job.id, "waiting", "" if job.worker else "for memory")


async def _run_check_phase(
    context: SweepContext, job: Job, worker: Worker, *, keeps_running: bool, decides: bool
) -> CellResult:
    edits: tuple[str, ...] = ()
    try:
        await worker.get_environment()
        async with context.cores:  # checked before the next cell gets the same files
            ended = await _complete_checks(worker, keeps_running=keeps_running)
            await asyncio.to_thread(worker.take_vectors)
            edits = await worker.find_edits()
            if ended is None and not edits:
                await worker.share_bytecode()
    except CellEndedError as error:
        ended = error
    if decides and isinstance(ended, SubjectRefusedError):
        hint = context.inputs.isolation.explain(ended.reason)
        raise UsageError("; ".join(filter(None, (f"{context.plan.matrix_path}: {ended.reason}", hint))))
    record = worker.process.record if worker.started else CellRecord()
    if worker.started:
        record.facts["isolation"] = context.inputs.isolation.fact  # whatever the cell has sent
    ended = ended or record.judge_status(worker.launch.cases)
    result = record.make_result(job.id, job.key, context.plan.run, ended, worker.read_tail())
    result = _add_hints(result, context.inputs.isolation)
    result = msgspec.structs.replace(result, peak_rss=worker.peak if worker.started else 0)
    return invalidate(result, edits)


def _add_hints(result: CellResult, isolation: Isolation) -> CellResult:
    """The result with a hint at each failure that isolation is likely to have caused."""

    def add(text: str, *more: str) -> str:
        return "; ".join(filter(None, (text, isolation.explain(text, *more))))

    cases = tuple(
        msgspec.structs.replace(case, message=add(case.message)) if case.outcome == "error" else case
        for case in result.cases
    )
    ended = result.status in {"crashed", "import-error"}
    reason = add(result.reason, *result.log_tail) if ended else result.reason
    return msgspec.structs.replace(result, cases=cases, reason=reason)


async def _complete_checks(worker: Worker, *, keeps_running: bool) -> CellEndedError | None:
    """Run the check phase, and wait for the exit unless the process stays; returns why it failed, if so."""
    try:
        await worker.start()
        await worker.process.wait_for_checks()
        if not keeps_running:
            await worker.process.wait_for_exit()
    except CellEndedError as error:
        return error
    return None


def is_timed(result: CellResult) -> bool:
    """Whether latency is measured in a cell with this result of the check phase."""
    return result.status in {"ok", "failed"} and not result.edited


def _fits_in_memory(context: SweepContext, jobs: list[Job]) -> bool:
    """Whether the process may stay resident: each running cell must be able to reach the largest peak."""
    largest = max(each.result.peak_rss for each in jobs if each.result is not None)
    others = sum(each.result is None for each in jobs)
    growth = largest * min(context.options.jobs, others)
    return context.options.container.measure_free_memory() - context.options.reserve > growth


def reuse_results(context: SweepContext, jobs: list[Job], latency: str) -> None:
    """Reuse the stored result of each job; ``latency`` is the key of timings against this run's baseline."""
    wanted = context.options.latency and bool(context.plan.scenarios)
    for job in jobs:
        contract = context.results.read_checks(job.key)
        if contract is None:
            continue
        needs_timings = wanted and is_timed(contract)
        timed = context.results.read_latency(job.key, latency) if needs_timings else None
        job.measured = job.reused = timed is not None or not needs_timings
        joined = contract if timed is None else _join(contract, timed)
        job.result = msgspec.structs.replace(joined, cell=job.id)
        context.results.restore_files(job.key, latency, context.folder.cell(job.id))
        if job.reused:
            context.folder.write_result(job.result)
            context.report(job.id, "reused", f"measured by {job.result.run}")


def _join(contract: CellResult, timed: CellResult) -> CellResult:
    """A result of the check phase with the timings of another run of the same cell."""
    return msgspec.structs.replace(
        contract,
        timings=timed.timings,
        untimed=timed.untimed,
        seconds={**contract.seconds, "latency": timed.seconds.get("latency", 0.0)},
        peak_rss=max(contract.peak_rss, timed.peak_rss),
    )
