"""One planned cell on its way through a sweep, and what all cells of the sweep share."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import StoreError
from harness.files import describe_os_error, redact_file
from harness.held import temporary_folder
from harness.records import CellResult, Plan, PlannedCell, Progress
from harness.run.bytecode import BytecodePool
from harness.run.cell import CellProcess, Notify, Start
from harness.run.ends import CellEndedError
from harness.run.environments import Environment
from harness.run.folder import RunFolder
from harness.run.inputs import Inputs, find_environment_edits
from harness.run.material import Material
from harness.run.options import Options
from harness.run.results import ResultStore
from harness.run.watch import Watch


@dataclass(frozen=True)
class Bench:
    """What all cells of one sweep share."""

    plan: Plan
    material: Material
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
