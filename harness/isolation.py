"""Namespaces around the processes of cells: what these can see, read, write and reach.

bubblewrap (https://github.com/containers/bubblewrap) makes them: user, mount, process, network and IPC
namespaces around one command, whose root holds only what is bound into it. ``unshare`` is no substitute: it
cannot bind a tree with its mounts read-only, and the cell would be root in its namespace.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from harness.errors import UsageError
from harness.processes import describe_exit, run

Level = Literal["auto", "strict", "none"]
"""``auto``: where a trial succeeds; ``strict``: nothing runs where it does not; ``none``: never."""

PROGRAM = "bwrap"

_NAMESPACES = ("user", "mnt", "pid", "net", "ipc")

_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/libx32", "/lib64", "/opt", "/nix/store", "/gnu/store"),
    "/sys",  # cores and their caches, which OpenVINO and torch read
)
_SETTINGS = (
    *("alternatives", "ca-certificates", "crypto-policies", "fonts", "group", "host.conf", "hosts"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release"),
    *("OpenCL", "passwd", "pki", "protocols", "resolv.conf", "services", "ssl", "timezone", "vulkan"),
)
"""What libraries read in /etc; files with passwords and tokens, such as pip.conf, are not among it."""

_KERNEL = ("sys", "sysrq-trigger", "fs", "irq", "bus", "acpi", "scsi", "driver", "mtrr")
"""Files in /proc by which root changes the machine, without any capability: they are checked by user."""

_DEVICES = ("dri", "accel", "kfd", "nvidia*")
_INTERPRETER = ("bin", "lib", "lib64", "ssl")
"""The folders of a Python; its prefix may be ``~/.local``."""

_START = 'ulimit -c 0; echo 800 2>/dev/null >/proc/self/oom_score_adj; exec "$@"'
"""All processes of the namespace inherit what ``processes.start`` can set for the first one only."""

_TRIAL = "for name in " + " ".join(_NAMESPACES) + "; do readlink /proc/self/ns/$name; done"
_SECONDS = 20.0


@dataclass(frozen=True)
class View:
    """The files of one cell process.

    Attributes:
        python: the interpreter of its environment.
        writable: the folders that it may write to.
        readable: files and folders that it reads; what does not exist is left out.
        sealed: files and folders inside of ``writable`` that it must not write to.
    """

    python: Path
    writable: tuple[Path, ...]
    readable: tuple[Path, ...] = ()
    sealed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Isolation:
    """What is in force for all cells of a run.

    Attributes:
        program: path of bubblewrap; empty if nothing is in force.
        reason: why nothing is in force.
        network: whether cells share the network of this machine; else they have a loopback of their own.
    """

    program: str = ""
    reason: str = ""
    network: bool = False

    @property
    def fact(self) -> str:
        """What is in force, as a fact of a result; results with different facts do not replace each other."""
        if not self.program:
            return "none"
        return "namespaces with network" if self.network else "namespaces"

    @property
    def description(self) -> str:
        """What is in force, with the reason where it is nothing."""
        return f"{self.fact}: {self.reason}" if self.reason and not self.program else self.fact

    def wrap(self, argv: Sequence[str], view: View) -> tuple[str, ...]:
        """The command line that runs ``argv`` in namespaces; ``argv`` itself if nothing is in force."""
        if not self.program:
            return tuple(argv)
        # Without a terminal, which processes of the harness never have, --new-session protects nothing; the
        # limits of memory count by session.
        shared = () if self.network else ("--unshare-net",)
        isolated = ("--unshare-user", "--unshare-pid", "--unshare-ipc", *shared, "--die-with-parent")
        mounts = _sort_mounts([*_mount_system(), *_mount_view(view)])
        flat = [word for mount in mounts for word in mount]
        own = (*isolated, "--cap-drop", "ALL", *flat, "--remount-ro", "/", "--")
        return ("/bin/sh", "-c", _START, "sh", self.program, *own, *argv)

    def explain(self, *texts: str) -> str:
        """A hint for a failure that isolation has likely caused, by its messages; empty for another."""
        return HINT if self.program and any(_SIGNS.search(text) for text in texts) else ""


HINT = (
    "cells are isolated, which is the likely cause: [subject] network = true gives a service the network, "
    "[subject] reads = [...] files beside its inputs, and --isolation none shows what it does without"
)
_SIGNS = re.compile(
    r"Read-only file system|No such file or directory|FileNotFoundError|Permission denied|PermissionError"
    r"|Operation not permitted|Network is unreachable|No route to host|Connection refused|ConnectionError"
    r"|ConnectError|name resolution|Name or service not known|resolve host|getaddrinfo|Max retries exceeded"
)

NONE = Isolation(reason="--isolation none")


async def find_isolation(level: Level, *, network: bool = False, readable: Sequence[Path] = ()) -> Isolation:
    """The isolation that this machine allows, by a trial that has folders of a run in view.

    Root may have lost a folder of another user: in the namespaces it has no capabilities.

    Raises:
        UsageError: ``strict``, and the trial failed.
    """
    if level == "none":
        return replace(NONE, network=network)
    program = shutil.which(PROGRAM)
    wanted = Isolation(str(Path.cwd() / program) if program else "", network=network)
    reason = await _try(wanted, View(Path("/usr/bin/env"), (), readable=tuple(readable)))
    if not reason:
        return wanted
    if level == "strict":
        raise UsageError(
            f"--isolation strict: cells cannot be isolated here: {reason}; see matrices/README.md, or use "
            "--isolation auto"
        )
    return Isolation(reason=reason, network=network)


async def _try(wanted: Isolation, view: View) -> str:
    """Why a command cannot be isolated; empty if it is."""
    if sys.platform != "linux":
        return "namespaces exist on Linux only"
    if not wanted.program:
        return f"{PROGRAM} is not installed (the package is called bubblewrap)"
    try:
        done = await run(wanted.wrap(("/bin/sh", "-c", _TRIAL), view), timeout=_SECONDS, isolated=True)
    except (OSError, TimeoutError) as error:
        return f"{PROGRAM} cannot be run: {error or 'it did not end'}"
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        return f"{PROGRAM} {describe_exit(done.returncode)}: {' '.join(said)[:300] or 'no output'}"
    asked = [name for name in _NAMESPACES if not (name == "net" and wanted.network)]
    seen = dict(zip(_NAMESPACES, done.stdout.split(), strict=False))
    shared = [name for name in asked if seen.get(name) in {None, _read_namespace(name)}]
    return f"{PROGRAM} makes no namespace of its own for {', '.join(shared)}" if shared else ""


def _read_namespace(name: str) -> str:
    """The namespace of this process."""
    return str(Path("/proc/self/ns", name).readlink())


Mount = tuple[str, ...]
"""Words of bubblewrap's command line, of which the last one is the place."""


def _sort_mounts(mounts: Sequence[Mount]) -> list[Mount]:
    """Folders before what is inside them, which they would hide, and no link where its folder is there."""
    bound = {Path(mount[-1]) for mount in mounts if "bind" in mount[0]}
    kept = (each for each in mounts if each[0] != "--symlink" or bound.isdisjoint(Path(each[-1]).parents))
    return sorted(kept, key=lambda mount: len(Path(mount[-1]).parts))


def _mount_system() -> Iterator[Mount]:
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink() and path.resolve().is_relative_to("/usr"):
            yield ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield ("--ro-bind", name, name)
    for name in _SETTINGS:
        yield ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from (("--proc", "/proc"), ("--dev", "/dev"), ("--tmpfs", "/tmp"), ("--tmpfs", "/var/tmp"))  # noqa: S108 - inside
    yield from (("--ro-bind-try", f"/proc/{name}", f"/proc/{name}") for name in _KERNEL)
    for glob in _DEVICES:
        yield from (("--dev-bind", str(path), str(path)) for path in sorted(Path("/dev").glob(glob)))


def _mount_view(view: View) -> Iterator[Mount]:
    for path in dict.fromkeys(view.readable):
        yield ("--ro-bind-try", str(path), str(path))
        yield from _hide_repository(path)
        yield from (("--ro-bind", str(end), str(end)) for end in _find_ends(path))
    yield from _mount_interpreter(view.python)
    yield from (("--bind", str(path), str(path)) for path in view.writable)
    yield from (("--ro-bind-try", str(path), str(path)) for path in view.sealed)


def _hide_repository(folder: Path) -> Iterator[Mount]:
    """Hide the repository of a folder, whose configuration can hold the token of a pipeline."""
    if (folder / ".git").is_dir():
        yield ("--tmpfs", str(folder / ".git"))


def _find_ends(folder: Path) -> Iterator[Path]:
    """Where links right in a folder lead: a model of a hub cache has links instead of files."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.is_symlink() and path.exists() and not path.resolve().is_relative_to(folder.resolve()):
                yield path.resolve()


def _mount_interpreter(python: Path) -> Iterator[Mount]:
    """The environment of an interpreter, the links to its Python, and the folders of that."""
    environment = python.parent.parent
    yield ("--ro-bind", str(environment), str(environment))
    real = python.resolve()
    while python.is_symlink():
        python = Path(os.path.normpath(python.parent / python.readlink()))
        if python.is_symlink() and not python.is_relative_to(environment):
            yield ("--symlink", str(python.readlink()), str(python))
    for base in {python.parent.parent, real.parent.parent}:  # a folder on the way may be a link as well
        for name in _INTERPRETER:
            yield ("--ro-bind-try", str(base / name), str(base / name))
