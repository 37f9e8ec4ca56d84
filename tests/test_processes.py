"""Processes are ended with all that they started, and processes of other programs never."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness import processes
from harness.processes import Group, Running

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
LEAVE_CHILD = """
import subprocess, sys
argv = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(argv, env={}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
"""
"""A process that ends and leaves one in its group that has no environment."""

LEAVE_DAEMON = LEAVE_CHILD.replace("env={}", "start_new_session=True")
"""A process that ends and leaves one outside of its group that has its environment."""


async def run_to_its_end(folder: Path, *code: str) -> Running:
    """A process that has ended and was waited for."""
    running = await processes.start(
        [sys.executable, "-c", *code], env={}, cwd=folder, log=folder / "log", channel="CHANNEL"
    )
    await running.process.wait()
    running.writer.close()
    await running.writer.wait_closed()
    return running


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended; one that is never waited for stays a zombie."""
    deadline = time.monotonic() + 60
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, "it still runs"
            time.sleep(0.01)


@pytest.mark.parametrize("known", [True, False])
def test_a_group_of_another_program_with_the_same_number_is_left_alone(
    tmp_path: Path, *, known: bool
) -> None:
    ended = asyncio.run(run_to_its_end(tmp_path, ""))
    ended.group.signal(signal.SIGKILL)
    time.sleep(0.05)  # the resolution of the time at which a process was started is 0.01 s
    with subprocess.Popen(SLEEP, start_new_session=True) as other:
        group = replace(ended.group, pid=other.pid) if known else Group(other.pid, ended.group.token)
        replace(ended, group=group).kill_remaining()
        alive = other.poll() is None
        other.kill()
    assert alive


def test_what_stays_in_the_group_of_a_process_that_was_waited_for_is_ended(tmp_path: Path) -> None:
    async def end() -> int:
        ended = await run_to_its_end(tmp_path, LEAVE_CHILD)
        child = int((tmp_path / "log").read_text())
        assert os.getpgid(child) == ended.pid
        await ended.end()
        return child

    wait_for_end(asyncio.run(end()))


def test_a_daemon_is_found_by_the_token_of_its_own_group_only(tmp_path: Path) -> None:
    async def end() -> tuple[int, int]:
        first, second = [await run_to_its_end(tmp_path, LEAVE_DAEMON) for _ in range(2)]
        mine, other = map(int, (tmp_path / "log").read_text().split())
        assert os.getpgid(mine) == mine
        first.kill_remaining()
        wait_for_end(mine)
        assert psutil.Process(other).status() != psutil.STATUS_ZOMBIE
        second.kill_remaining()
        return mine, other

    for pid in asyncio.run(end()):
        wait_for_end(pid)


def test_daemons_are_found_without_files_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, where psutil alone knows the environments."""

    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError

    async def end() -> int:
        ended = await run_to_its_end(tmp_path, LEAVE_DAEMON)
        monkeypatch.setattr(processes, "open", refuse, raising=False)
        ended.kill_remaining()
        return int((tmp_path / "log").read_text())

    wait_for_end(asyncio.run(end()))


def test_what_a_command_leaves_is_ended() -> None:
    done = asyncio.run(processes.run([sys.executable, "-c", LEAVE_CHILD]))
    wait_for_end(int(done.stdout))


def test_a_leader_that_was_not_waited_for_keeps_the_number_of_its_group() -> None:
    with subprocess.Popen(
        [*SLEEP[:2], LEAVE_CHILD], start_new_session=True, stdout=subprocess.PIPE
    ) as leader:
        group = Group.of(leader.pid, "token")
        assert leader.stdout is not None
        child = int(leader.stdout.readline())
        os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
        group.signal(signal.SIGKILL)
        wait_for_end(child)


@pytest.mark.parametrize("early", [True, False], ids=["before it ends", "after it was waited for"])
def test_a_group_that_is_looked_at_late_is_still_known(*, early: bool) -> None:
    """On a busy machine a command may have left a process before its group is recorded."""
    code = f"{LEAVE_CHILD}sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([*SLEEP[:2], code], start_new_session=True, **pipes) as leader:  # type: ignore[call-overload] # two pipes
        child = int(leader.stdout.readline())
        group = Group.of(leader.pid, "token") if early else None
        leader.stdin.close()
        leader.wait()
        (group or Group.of(leader.pid, "token")).signal(signal.SIGKILL)
        wait_for_end(child)
