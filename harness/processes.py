"""The one module that starts processes: each in a group of its own, ended whole, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

GRACE_SECONDS = 0.7
"""Between SIGTERM and SIGKILL. Ctrl-C ends every child within two seconds: first those that work, then those
that wait for their latency turns, so a grace is due twice."""

MARK_VARIABLE = "HARNESS_CELL_MARK"  # tells whose child a process is
"""Every process that a cell starts inherits it, so that one that left the group is found as well."""

LINE_LIMIT = 16 * 1024 * 1024
"""The longest line, in bytes, that a cell may write to its channel."""

_ATTEMPTS = 1000
"""For microseconds after its start a child still has the files in /proc of a controller that is not dumpable
(``harness.protection``), which belong to root; 3 of 100 first attempts fell into that."""


@dataclass(frozen=True)
class Completed:
    """What a finished process left: its exit code (negative: the signal) and what it printed."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


@dataclass
class Group:
    """The group that a process leads, told from a later one of another program that has its number.

    The number is free for others when the leader was waited for and no member is left. A member that is older
    than that, or has the token of this group, shows that the number was never free.
    """

    pid: int
    token: str
    leader: psutil.Process | None = None
    begun: float = -math.inf  # of the leader, in seconds of its ``create_time``
    seen: float = field(default_factory=time.monotonic)
    ended: float = math.inf

    @classmethod
    def of(cls, pid: int, token: str) -> Group:
        """The group of a process that was just started."""
        with contextlib.suppress(psutil.Error):  # it has ended and was waited for
            leader = psutil.Process(pid)
            return cls(pid, token, leader, leader.create_time())
        return cls(pid, token)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all members; nothing where none is left."""
        if self._is_ours():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _is_ours(self) -> bool:
        with contextlib.suppress(psutil.Error):
            if self.leader is not None and self.leader.is_running():  # a zombie is: its number is still taken
                return True
        self.ended = min(self.ended, self.begun + time.monotonic() - self.seen)
        try:
            os.killpg(self.pid, 0)
        except OSError:  # no such group, or one of another user
            return False
        return any(self._is_member(process) for process in psutil.process_iter())

    def _is_member(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) == self.pid == os.getsid(process.pid):
                return process.create_time() < self.ended or has_token(process, self.token)
        return False


def has_token(process: psutil.Process, token: str) -> bool:
    """Whether a process was started with a token in its environment; False where that cannot be read."""
    with contextlib.suppress(psutil.Error, OSError):
        return bool(process.environ().get(MARK_VARIABLE) == token)
    return False


@dataclass(frozen=True)
class Running:
    """A long-lived process and the controller's end of its channel."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    group: Group

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its group and of its session."""
        return self.process.pid

    def keep_to(self, cores: Collection[int]) -> None:
        """Let its main thread, and threads that this one starts from now on, run on these cores only.

        Nothing where it is gone, or where the machine has taken a core away since.
        """
        if self.process.returncode is None:  # else the number may be somebody else's
            with contextlib.suppress(OSError):
                os.sched_setaffinity(self.pid, cores)

    def kill(self) -> None:
        """SIGKILL the whole group at once; ``end`` is still due."""
        self.group.signal(signal.SIGKILL)

    def sweep_up(self) -> None:
        """SIGKILL what it left running, those that left its group too."""
        self.kill()
        _end_escaped(self.group.token)

    async def end(self) -> None:
        """End it and all that it started, and close the channel."""
        try:
            await end_group(self.process, self.group)
        finally:
            self.sweep_up()
            self.writer.close()


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
    token = secrets.token_hex(8)
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**(os.environ if env is None else env), MARK_VARIABLE: token},
        cwd=cwd,
        start_new_session=True,
    )
    group = Group.of(process.pid, token)
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate()
    finally:
        await end_group(process, group)
    return Completed(
        tuple(argv), process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
    )


async def start(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, channel: str
) -> Running:
    """Start a process that talks over a channel; what it prints is appended to ``log``.

    ``env`` is its whole environment but for the token and the variable that ``channel`` names, which holds
    the descriptor of its end of the channel. Whoever starts it must ``end`` it.

    Raises:
        OSError: there is no such program, or no descriptor or process is left.
    """
    token = secrets.token_hex(8)
    ours, theirs = socket.socketpair()
    try:
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**env, channel: str(theirs.fileno()), MARK_VARIABLE: token},
                cwd=cwd,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    group = Group.of(process.pid, token)
    _make_expendable(process.pid)
    try:
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
    except BaseException:
        ours.close()
        await end_group(process, group)
        raise
    return Running(process, reader, writer, group)


async def end_group(process: asyncio.subprocess.Process, group: Group) -> None:
    """End a process that leads a group, and all that it started: SIGTERM, a grace, SIGKILL."""
    try:
        if process.returncode is None:
            group.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await process.wait()
    finally:  # also when a second Ctrl-C cuts the grace short; what it started may have outlived it
        group.signal(signal.SIGKILL)
    await process.wait()


def end_users(folders: Collection[Path]) -> None:
    """SIGKILL the children of a controller that is gone, which name one of its folders.

    In their arguments or in their environment; processes of other programs are left alone.
    """
    names = [str(folder) for folder in folders]
    ended = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environment = process.environ()
            told = (*process.cmdline(), *environment.values())
            if MARK_VARIABLE in environment and any(name in text for name in names for text in told):
                process.kill()
                ended.append(process)
    psutil.wait_procs(ended, timeout=GRACE_SECONDS)


def _end_escaped(token: str) -> None:
    for process in psutil.process_iter():
        if has_token(process, token):
            with contextlib.suppress(psutil.Error):
                process.kill()


def _make_expendable(pid: int) -> None:
    """Short of memory, the kernel takes the cell before the controller; and no core dumps."""
    if sys.platform != "linux":
        return
    import resource  # noqa: PLC0415 - exists on POSIX only

    # It may be gone already, which its reader will find out.
    with contextlib.suppress(OSError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    for _ in range(_ATTEMPTS):
        try:
            Path(f"/proc/{pid}/oom_score_adj").write_text("800", encoding="ascii")
        except PermissionError:
            continue
        except OSError:
            pass
        break


def describe_exit(code: int) -> str:
    """An exit code in words; negative is the number of a signal."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    by_kernel = ", as the kernel does when memory runs out" if -code == signal.SIGKILL else ""
    return f"was killed by {name} ({signal.strsignal(-code) or 'unknown'}{by_kernel})"
