"""The process of one task: it runs cells as a sweep does, in the store of its worker, and leaves an outcome.

A process of its own ends all cells when its worker ends, even if that is killed: the channel between the two
is closed then, and this process ends as after Ctrl-C. If this process is killed, the kernel ends its cells.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from harness.cell.interface import CHANNEL_VARIABLE
from harness.errors import HarnessError, MachineError, UsageError
from harness.files import describe_os_error, write_whole
from harness.records import Notify, Progress
from harness.resolve.pip_settings import read_pip_settings
from harness.runs.folder import RunFolder
from harness.store.models import make_environments, make_installer
from harness.store.result_store import ResultStore
from harness.store.store import Store
from harness.sweep.executors.parcel import Outcome, Parcel, Task, collect_files, unpack
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.jobs import Job, SweepContext, reuse_results, run_checks
from harness.sweep.latency_phase import measure_latency
from harness.sweep.limits import Options
from harness.sweep.machine import read_machine
from harness.sweep.schedule import Supplies, make_job, open_context

PARCEL, TASK, OUTCOME = "parcel.msgpack", "task.msgpack", "outcome.msgpack"
"""The files of a task in its folder."""

STORE_VARIABLE = "HARNESS_STORE"


def find_store() -> Store:
    """The store of a worker: that of its environment, else of its user."""
    named = os.environ.get(STORE_VARIABLE, "").strip()
    return Store(Path(named).absolute()) if named else Store.default()


def run_task(folder: Path) -> None:
    """Run the task in a folder, and write its outcome there."""
    run_interruptibly(_run_task(folder))


async def _run_task(folder: Path) -> None:
    async with _open_channel() as notify:
        try:
            outcome = await _find_outcome(folder, notify)
        except UsageError as error:
            outcome = Outcome(refused=str(error))
        except HarnessError as error:
            outcome = Outcome(fault=str(error))
        except OSError as error:
            outcome = Outcome(fault=describe_os_error(error))
        write_whole(folder / OUTCOME, msgspec.msgpack.encode(outcome))


@asynccontextmanager
async def _open_channel() -> AsyncIterator[Notify]:
    """Send progress to the worker; when that closes the channel, this process is signalled to end."""
    named = socket.socket(fileno=int(os.environ.pop(CHANNEL_VARIABLE)))
    reader, writer = await asyncio.open_connection(sock=named)
    encode = msgspec.json.Encoder().encode

    async def end_with_worker() -> None:
        await reader.read()
        os.kill(os.getpid(), signal.SIGTERM)

    watching = asyncio.create_task(end_with_worker())
    try:
        yield lambda progress: writer.write(encode(progress) + b"\n")
        await writer.drain()
    finally:
        watching.cancel()
        writer.close()


async def _find_outcome(folder: Path, notify: Notify) -> Outcome:
    parcel = msgspec.msgpack.decode((folder / PARCEL).read_bytes(), type=Parcel)
    task = msgspec.msgpack.decode((folder / TASK).read_bytes(), type=Task)

    def say(text: str) -> None:
        notify(Progress(cell="", stage="note", note=text))

    store = find_store()
    async with AsyncExitStack() as stack:
        try:
            store.claim()
            settings = await read_pip_settings()
            installer = make_installer(settings, downloads=parcel.source.python_downloads)
            inputs = await unpack(parcel, folder / "parcel", store, installer, say, stack)
        except UsageError as error:  # the client has accepted all of this: the worker differs
            raise MachineError(str(error)) from error
        supplies = Supplies(
            inputs=inputs,
            environment=make_environments(store, installer).use,
            results=ResultStore(store, say, rerun=task.fresh),
            folder=RunFolder(folder / "run", task.plan.run),
        )
        options = Options(latency=bool(task.latency), limits=task.limits)
        async with open_context(task.plan, supplies, options, notify) as context:
            return await _run(context, task)


async def _run(context: SweepContext, task: Task) -> Outcome:
    if read_machine()["class"] != task.plan.machine["class"]:
        raise MachineError("its machine is of another class than that of the sweep")
    jobs = [make_job(context, planned) for planned in task.plan.cells]
    kept: tuple[str, ...] = ()
    if task.latency:
        kept = await _measure(context, task, jobs)
    else:
        reuse_results(context, jobs, "")
        await run_checks(context, jobs, None, first=task.decides)
    results = tuple(job.result for job in jobs if job.result is not None)
    return Outcome(results=results, files=collect_files(context.folder, (job.id for job in jobs)), kept=kept)


async def _measure(context: SweepContext, task: Task, jobs: list[Job]) -> tuple[str, ...]:
    """Measure the latency of a block; returns the cells whose timings later runs may use."""
    apart = context.plan.baseline_cell
    every = [*jobs, *([] if apart is None else [make_job(context, apart)])]
    known = {result.cell: result for result in task.results}
    for job in every:
        job.result = known.get(job.id)
    baseline = next((job for job in every if job.id == task.baseline), None)
    await measure_latency(context, jobs, baseline, task.latency)
    return tuple(job.id for job in jobs if job.kept)
