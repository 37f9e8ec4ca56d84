"""What dask calls on a worker: it says what it is, and runs a task in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness import processes
from harness.cell.interface import CHANNEL_VARIABLE
from harness.errors import MachineError
from harness.held import temporary_folder
from harness.isolation import find_isolation
from harness.processes import describe_exit, end_processes_using
from harness.store.clean import remove_leftovers
from harness.sweep.cell_process import read_tail
from harness.sweep.executors.parcel import read_facts
from harness.sweep.executors.task_process import OUTCOME, PARCEL, TASK, find_store

if TYPE_CHECKING:
    from distributed import Worker

_PERIOD_SECONDS = 1.0
"""How often a worker asks whether somebody still waits for its task."""


async def describe_worker(dask_worker: Worker) -> bytes:
    """The facts of a worker, for the client."""
    isolation = await find_isolation("auto")
    facts = msgspec.structs.replace(read_facts(), host=_name(dask_worker), unisolated=isolation.reason)
    return msgspec.msgpack.encode(facts)


def _name(worker: Worker) -> str:
    """The host and the port of a worker: several may run on one host."""
    return f"{platform.node()}:{worker.address.rpartition(':')[2]}"


async def run_on_worker(parcel: bytes, task: bytes, key: str, topic: str) -> bytes:
    """Run a task in a process of its own, and return its outcome; its progress is logged under ``topic``.

    ``key`` is that of the task in dask. When no client waits for it any more, the process is ended.

    Raises:
        MachineError: the process ended without an outcome.
        OSError: no room, no permission.
    """
    from distributed import get_worker  # noqa: PLC0415 # an extra

    worker = get_worker()
    await asyncio.to_thread(remove_leftovers, find_store())  # of workers that were killed on this machine
    with temporary_folder("task") as folder:
        (folder / PARCEL).write_bytes(parcel)
        (folder / TASK).write_bytes(task)
        argv = (sys.executable, "-m", "harness.sweep.executors", str(folder))
        env = {**os.environ, "TMPDIR": str(folder)}
        running = await processes.start(
            argv, env=env, cwd=folder, log=folder / "log.txt", channel=CHANNEL_VARIABLE
        )
        try:
            await _relay(running, worker, key, topic)
            code = await running.process.wait()
        finally:
            await running.end()
            await asyncio.to_thread(end_processes_using, [folder])  # its cells, if it was killed
        return _read_outcome(folder, code)


def _read_outcome(folder: Path, code: int) -> bytes:
    try:
        return (folder / OUTCOME).read_bytes()
    except FileNotFoundError:
        tail = " | ".join(read_tail(folder / "log.txt")[-3:])
        raise MachineError(f"the process of a task {describe_exit(code)}: {tail}") from None


async def _relay(running: processes.Running, worker: Worker, key: str, topic: str) -> None:
    """Pass the progress of a task on until its process closes the channel."""
    while True:
        _refuse_unwanted(worker, key)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PERIOD_SECONDS):
                if not (line := await running.reader.readline()):
                    return
            worker.log_event(topic, [_name(worker), line.decode()])


def _refuse_unwanted(worker: Worker, key: str) -> None:
    """Dask lets a task run to its end although its client has gone."""
    task = worker.state.tasks.get(key)
    if task is None or task.state == "cancelled":
        raise MachineError("no client waits for this task any more")
