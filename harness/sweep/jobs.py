"""One planned cell on its way through a sweep: reused, or run through its check phase."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from harness.errors import StoreError
from harness.files import describe_os_error, redact_file
from harness.held import temporary_folder
from harness.records import CellResult, Notify, Plan, PlannedCell, Progress
from harness.runs.folder import RunFolder
from harness.store.environments import Environment
from harness.store.manifest import BytecodePool
from harness.store.material import CellInputs, Inputs, find_environment_edits, spoil
from harness.store.result_store import ResultStore
from harness.sweep.cell_process import CellProcess, Start
from harness.sweep.limits import Options, Watch
from harness.sweep.protocol import CellEndedError, CellRecord

# One planned cell on its way through a sweep, and what all cells of the sweep share.


@dataclass(frozen=True)
class Bench:
    """What all cells of one sweep share."""

    plan: Plan
    material: CellInputs
    environment: Environment
    results: ResultStore
    folder: RunFolder
    options: Options
    notify: Notify
    watch: Watch
    cores: asyncio.Semaphore
    inputs: Inputs
    bytecode: BytecodePool = field(default_factory=BytecodePool)

    def tell(self, cell: str, stage: str, note: str = "") -> None:
        """Say where a cell is."""
        self.notify(Progress(cell=cell, stage=stage, note=note))


@dataclass(frozen=True)
class Launch:
    """What to start: a planned cell, under which name, for which phases, and the names of its files."""

    planned: PlannedCell
    name: str
    phases: tuple[str, ...]
    spec: str = "spec.json"
    benchmark: str = "benchmark.json"


@dataclass
class Member:
    """A cell process and all that has to be given back when it ends; use ``process`` after ``start`` only."""

    bench: Bench
    launch: Launch
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    seconds: float = 0.0
    _python: Path | None = None
    _process: CellProcess | None = None

    @property
    def process(self) -> CellProcess:
        """The process."""
        assert self._process is not None, "not started"  # noqa: S101 - a fault of this program
        return self._process

    @property
    def started(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def log(self) -> Path:
        """What it prints goes there."""
        return self.bench.folder.cell(self.launch.name) / "log.txt"

    async def get_environment(self) -> None:
        """Get the environment; no core is needed for that.

        Raises:
            CellEndedError: it cannot be made.
        """
        since = time.monotonic()
        bench, launch = self.bench, self.launch
        bench.tell(launch.name, "environment")
        try:
            self._python = await self.stack.enter_async_context(
                bench.environment(
                    launch.planned.cell,
                    launch.planned.lock,
                    lambda note: bench.tell(launch.name, "environment", note),
                )
            )
        except StoreError as error:
            raise CellEndedError("install-error", str(error)) from error
        self.seconds = time.monotonic() - since
        bench.tell(launch.name, "queued")

    async def share_bytecode(self) -> None:
        """Its imports are done: others need not compile the same files."""
        if self._python is not None:
            await self.bench.bytecode.take(self._python.parent.parent)

    async def start(self) -> None:
        """Start the process in its environment.

        Raises:
            CellEndedError: its interpreter cannot be started.
        """
        bench, launch = self.bench, self.launch
        assert self._python is not None, "no environment yet"  # noqa: S101 - a fault of this program
        bench.bytecode.give(self._python.parent.parent)
        folder = bench.folder.cell(launch.name)
        workdir = self.stack.enter_context(temporary_folder("cell"))
        spec = bench.material.make_spec(launch.name, launch.planned.lock, workdir, launch.phases)
        if "latency" in launch.phases:
            spec = replace(
                spec,
                scenarios=tuple(scenario.id for scenario in bench.plan.scenarios),
                benchmark_json=str((folder / launch.benchmark).resolve()),
            )
        start = Start(self._python, bench.material.suite, spec, folder / launch.spec, self.log)
        planned = len(launch.planned.cases) if "contract" in launch.phases else 0
        try:
            self._process = await CellProcess.start(
                start, bench.options.limits, bench.watch, bench.notify, planned
            )
        except OSError as error:
            raise CellEndedError(
                "install-error", f"its interpreter cannot be started: {describe_os_error(error, folder)}"
            ) from error
        self.stack.push_async_callback(self._process.end)
        self._process.account.seconds["environment"] = self.seconds

    async def find_edits(self) -> tuple[str, ...]:
        """The files that it was given, alone or with other cells, and that have changed since."""
        if self._python is None or not self.started:
            return ()
        shared = await asyncio.to_thread(self.bench.inputs.find_edits)
        environment = await asyncio.to_thread(find_environment_edits, self._python)
        return (*await self.process.look_for_edits(), *shared, *environment)

    def read_tail(self) -> tuple[str, ...]:
        """The last lines that it printed; empty where it was never started."""
        return self.process.read_tail() if self.started else ()

    async def end(self) -> None:
        """End the process, give back its environment and its folder; its files hold no credentials then."""
        await self.stack.aclose()
        folder = self.bench.folder.cell(self.launch.name)
        for path in (self.log, folder / self.launch.benchmark):
            redact_file(path)

    @property
    def peak(self) -> int:
        """Bytes that it used at most, with all that it started."""
        return max(self.process.account.peak_rss, self.process.watched.peak)


@dataclass
class Job:
    """A planned cell that runs for itself: its result as far as it has come, its process while it waits."""

    planned: PlannedCell
    key: str
    result: CellResult | None = None
    measured: bool = False  # its timings are there, or there will be none
    reused: bool = False
    member: Member | None = None

    @property
    def id(self) -> str:
        """The id of its cell."""
        return self.planned.cell.id


# The contract phase: every cell checks what it owes, as many at once as there are cores.


async def run_contracts(bench: Bench, jobs: list[Job], baseline: Job | None) -> None:
    """Run the contract phase of every job that has no result, the baseline first.

    Jobs that can stay for latency keep their process in ``member``; whoever calls must end those.
    """
    due = sorted((job for job in jobs if job.result is None), key=lambda job: job is not baseline)
    async with asyncio.TaskGroup() as group:
        for job in due:
            group.create_task(_run(bench, job, jobs, baseline))


async def _run(bench: Bench, job: Job, jobs: list[Job], baseline: Job | None) -> None:
    stays = bench.options.latency and bool(bench.plan.scenarios)
    launch = Launch(job.planned, job.id, ("contract", "latency") if stays else ("contract",))
    member = Member(bench, launch)
    try:
        job.result = await _listen(bench, job, member, stays=stays)
        bench.results.keep_contract(job.result, bench.folder.cell(job.id))
        bench.folder.write_result(job.result)
        if not stays or not is_timed(job.result):
            job.measured = True
        elif stays and (job is baseline or _may_stay(bench, jobs)):
            job.member = member
    finally:
        if job.member is None:
            await member.end()
    if job.measured:
        bench.tell(job.id, job.result.status, job.result.reason)
    else:
        bench.tell(job.id, "waiting", "" if job.member else "for memory")


async def _listen(bench: Bench, job: Job, member: Member, *, stays: bool) -> CellResult:
    edits: tuple[str, ...] = ()
    try:
        await member.get_environment()
        async with bench.cores:  # whoever comes next is given what is looked at here
            ended = await _check(member, stays=stays)
            edits = await member.find_edits()
            if ended is None and not edits:
                await member.share_bytecode()
    except CellEndedError as error:
        ended = error
    account = member.process.account if member.started else CellRecord()
    ended = ended or account.judge_status(job.planned.cases)
    result = account.make_result(job.id, job.key, bench.plan.run, ended, member.read_tail())
    result = msgspec.structs.replace(result, peak_rss=member.peak if member.started else 0)
    return spoil(result, edits)


async def _check(member: Member, *, stays: bool) -> CellEndedError | None:
    """Its contract phase, and its end unless it stays for latency; why it did not get there, if so."""
    try:
        await member.start()
        await member.process.contract()
        if not stays:
            await member.process.leave()
    except CellEndedError as error:
        return error
    return None


def is_timed(result: CellResult) -> bool:
    """Whether latency is measured in a cell with this contract result."""
    return result.status in {"ok", "failed"} and not result.edited


def _may_stay(bench: Bench, jobs: list[Job]) -> bool:
    """Whether memory allows it to wait: what runs beside it must be able to grow as large as any has yet."""
    largest = max(each.result.peak_rss for each in jobs if each.result is not None)
    others = sum(each.result is None for each in jobs)
    growth = largest * min(bench.options.jobs, others)
    return bench.options.container.measure_free_memory() - bench.options.reserve > growth


def reuse_results(bench: Bench, jobs: list[Job], latency: str) -> None:
    """Give each job its stored result; ``latency`` is the key of timings against the baseline of this run."""
    wanted = bench.options.latency and bool(bench.plan.scenarios)
    for job in jobs:
        contract = bench.results.read_contract(job.key)
        if contract is None:
            continue
        needs_timings = wanted and is_timed(contract)
        timed = bench.results.read_latency(job.key, latency) if needs_timings else None
        job.measured = job.reused = timed is not None or not needs_timings
        joined = contract if timed is None else _join(contract, timed)
        job.result = msgspec.structs.replace(joined, cell=job.id)
        bench.results.restore_files(job.key, latency, bench.folder.cell(job.id))
        if job.reused:
            bench.folder.write_result(job.result)
            bench.tell(job.id, "reused", f"measured by {job.result.run}")


def _join(contract: CellResult, timed: CellResult) -> CellResult:
    """A contract result with the timings of another run of the same cell."""
    return msgspec.structs.replace(
        contract,
        timings=timed.timings,
        untimed=timed.untimed,
        seconds={**contract.seconds, "latency": timed.seconds.get("latency", 0.0)},
        peak_rss=max(contract.peak_rss, timed.peak_rss),
    )
