"""The one module that starts processes: each in a group of its own, ended whole, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 1.0
"""Between SIGTERM and SIGKILL; Ctrl-C ends every child within two seconds."""


@dataclass(frozen=True)
class Completed:
    """What a finished process left: its exit code (negative: the signal) and what it printed."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - the process group must be ended before the error is raised
) -> Completed:
    """Run a command to its end and return what it printed.

    Raises:
        FileNotFoundError: there is no such program.
        TimeoutError: it took longer than ``timeout`` seconds; its whole group has been ended.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate()
    finally:
        await end_group(process)
    return Completed(
        tuple(argv), process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
    )


async def end_group(process: asyncio.subprocess.Process) -> None:
    """End a process that leads a group, and all that it started: SIGTERM, a grace, SIGKILL."""
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
    _signal_group(process.pid, signal.SIGKILL)  # what it started may have outlived it
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
