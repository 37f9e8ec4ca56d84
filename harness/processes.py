"""Start and end child processes, each with its process group; the only module that starts processes."""

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
from dataclasses import dataclass
from pathlib import Path

import psutil

GRACE_SECONDS = 0.7
"""Between SIGTERM and SIGKILL. Ctrl-C ends every child within two seconds: first the running ones, then those
that wait for their latency turns, so two grace periods have to fit."""

MARK_VARIABLE = "HARNESS_CELL_MARK"  # identifies the parent of a process
"""Every descendant of a cell inherits it, so that one that left the process group is found as well."""

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of the longest line that a cell may write to its channel."""

_SHELL, _SIGNALS = 128, 64

_ATTEMPTS = 1000
"""For microseconds after the fork the files of a child in /proc belong to root, because the controller is not
dumpable (``harness.protection``); 3 of 100 first attempts failed for that reason."""


@dataclass(frozen=True)
class Completed:
    """The exit code (negative: the signal) and the output of a finished process."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    raw: bytes = b""
    """The output before it was decoded, for text in another encoding than UTF-8."""


@dataclass
class Group:
    """The group that a process leads, told from a later one of another program that has its number.

    The number is free for others when the leader was waited for and no member is left. A member that is older
    than that, or has the token of this group, shows that the number was never free.
    """

    pid: int
    token: str
    leader: psutil.Process | None = None
    isolated: bool = False
    """Whether the leader only holds the namespaces (``harness.isolation``) in which the others run."""
    ended: float = -math.inf
    """When the leader was first seen to have ended: see ``_now``."""
    _main: int | None = None

    @classmethod
    def of(cls, pid: int, token: str, *, isolated: bool = False) -> Group:
        """The group of a process that was just started."""
        with contextlib.suppress(psutil.Error):  # it has ended and was waited for
            return cls(pid, token, psutil.Process(pid), isolated, math.inf)
        return cls(pid, token, isolated=isolated, ended=_now())

    def terminate(self) -> None:
        """Send SIGTERM to all members; with the holder of namespaces the kernel would kill the others."""
        if not self.isolated:
            self.signal(signal.SIGTERM)
        elif self.leader is not None:
            with contextlib.suppress(psutil.Error):
                for process in self.leader.children(recursive=True):
                    process.terminate()

    def find_main(self) -> int:
        """The id of the process that was asked for, once it has sent something.

        Raises:
            psutil.Error: it has ended.
        """
        if self.isolated and self._main is None and self.leader is not None:
            init = _find_oldest(self.leader)
            self._main = _find_oldest(init).pid  # the others are orphans
        return self._main or self.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all members; nothing where none is left."""
        if self._is_ours():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _is_ours(self) -> bool:
        with contextlib.suppress(psutil.Error):
            if self.leader is not None and self.leader.is_running():  # a zombie is: its number is still taken
                return True
        self.ended = min(self.ended, _now())
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


def _find_oldest(parent: psutil.Process) -> psutil.Process:
    found = sorted(parent.children(), key=psutil.Process.create_time)
    if not found:
        raise psutil.NoSuchProcess(parent.pid, msg="it has no process any more")
    return found[0]


def _now() -> float:
    """The present, in seconds of the clock of ``psutil.Process.create_time``."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if clock is None:  # not Linux, where processes have the time since the start of the machine
        return time.time()
    return psutil.boot_time() + time.clock_gettime(clock)


def has_token(process: psutil.Process, token: str) -> bool:
    """Whether a process was started with a token in its environment; False where that cannot be read."""
    with contextlib.suppress(psutil.Error, OSError):
        return bool(process.environ().get(MARK_VARIABLE) == token)
    return False


@dataclass(frozen=True)
class Running:
    """A running process and the controller's end of its channel."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    group: Group

    @property
    def pid(self) -> int:
        """The id of the process group and of the session: that of the process, or of its namespaces."""
        return self.process.pid

    def pin_to(self, cores: Collection[int]) -> None:
        """Pin the main thread, and threads that it starts later, to these cores.

        Does nothing if the process has ended or a core has gone offline.
        """
        if self.process.returncode is None:  # else the process id may have been reused
            with contextlib.suppress(OSError, psutil.Error):
                os.sched_setaffinity(self.group.find_main(), cores)

    async def wait(self) -> int:
        """Wait for the end of the process, and return its exit code; a negative one is a signal."""
        return _read_code(await self.process.wait(), isolated=self.group.isolated)

    def kill(self) -> None:
        """Send SIGKILL to the process group; ``end`` must still be called."""
        self.group.signal(signal.SIGKILL)

    def kill_remaining(self) -> None:
        """Send SIGKILL to all remaining descendants, including those that left the process group."""
        self.kill()
        _kill_marked(self.group.token)

    async def end(self) -> None:
        """End the process and all its descendants, and close the channel."""
        try:
            await end_group(self.process, self.group)
        finally:
            self.kill_remaining()
            self.writer.close()


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - the process group must be ended before the error is raised
    isolated: bool = False,
) -> Completed:
    """Run a command and return its output; ``isolated``: ``Isolation.wrap`` made the command.

    Raises:
        FileNotFoundError: there is no such program.
        TimeoutError: the command took longer than ``timeout`` seconds; its process group has been ended.
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
    group = Group.of(process.pid, token, isolated=isolated)
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate()
    finally:
        await end_group(process, group)
    return Completed(
        tuple(argv),
        _read_code(process.returncode or 0, isolated=isolated),
        out.decode(errors="replace"),
        err.decode(errors="replace"),
        raw=out,
    )


async def start(  # noqa: PLR0913 - one parameter an ingredient
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    channel: str,
    isolated: bool = False,
) -> Running:
    """Start a process with a message channel; its output is appended to ``log``.

    ``isolated``: ``Isolation.wrap`` made the command.

    Its environment is ``env``, the token, and the variable named by ``channel`` with the descriptor of
    its end of the channel. The caller must ``end`` it.

    Raises:
        OSError: there is no such program, or the descriptors or processes of the system are used up.
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
    group = Group.of(process.pid, token, isolated=isolated)
    _prefer_for_oom_killer(process.pid)
    try:
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
    except BaseException:
        ours.close()
        await end_group(process, group)
        raise
    return Running(process, reader, writer, group)


async def end_group(process: asyncio.subprocess.Process, group: Group) -> None:
    """End a process group: SIGTERM, a grace period, SIGKILL."""
    try:
        if process.returncode is None:
            group.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await process.wait()
    finally:  # also when a second Ctrl-C ends the grace period; descendants may outlive the leader
        group.signal(signal.SIGKILL)
    await process.wait()


def end_processes_using(folders: Collection[Path]) -> None:
    """Send SIGKILL to orphaned children of a harness whose arguments or environment name one of the folders.

    Processes of other programs are left alone.
    """
    names = [str(folder) for folder in folders]
    ended = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environment = process.environ()
            texts = (*process.cmdline(), *environment.values())
            if MARK_VARIABLE in environment and any(name in text for name in names for text in texts):
                process.kill()
                ended.append(process)
    psutil.wait_procs(ended, timeout=GRACE_SECONDS)


def _kill_marked(token: str) -> None:
    for pid in psutil.pids():
        if _may_have_token(pid, token):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if has_token(process, token):
                    process.kill()


def _may_have_token(pid: int, token: str) -> bool:
    """Whether the environment of a process contains a token; True where the system has no such file.

    This is a fifth of the cost of psutil, which parses every variable, and it runs at the end of every cell.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 - of each process: a path costs as much as the file
            return token.encode() in file.read()
    except FileNotFoundError:  # psutil knows whether it has ended, or this is not Linux
        return True
    except OSError:  # of another user
        return False


def _prefer_for_oom_killer(pid: int) -> None:
    """Make the kernel kill the cell before the controller when memory runs out; disable core dumps."""
    if sys.platform != "linux":
        return
    import resource  # noqa: PLC0415 - exists on POSIX only

    # If the process has ended already, the reader of its channel reports that.
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


def _read_code(code: int, *, isolated: bool) -> int:
    """The exit code of a process; that of namespaces is 128 plus the number of the signal, as in a shell."""
    return _SHELL - code if isolated and _SHELL < code <= _SHELL + _SIGNALS else code


def describe_exit(code: int) -> str:
    """Describe an exit code; a negative one is the number of a signal."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    by_kernel = ", as the kernel does when memory runs out" if -code == signal.SIGKILL else ""
    return f"was killed by {name} ({signal.strsignal(-code) or 'unknown'}{by_kernel})"
