"""The machine that the harness runs on: its class, and the cores and memory that its container leaves.

A container limits both by Linux control groups of version 2
(https://docs.kernel.org/admin-guide/cgroup-v2.html) or 1.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_MIB = 1024**2

_OUT_OF_MEMORY = "out of memory"
"""How the reason of a cell begins that the kernel killed for memory."""

_HARD_LIMITS = ("memory.max", "memory.limit_in_bytes")
_LIMITS = (*_HARD_LIMITS, "memory.high")
_USED = ("memory.current", "memory.usage_in_bytes")
_FILE_CACHE = ("inactive_file", "total_inactive_file")
_KILLS = ("memory.events", "memory.oom_control")


def count_visible_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Container:
    """The control groups of this process; without any limit where there are none.

    Attributes:
        root: where control groups are mounted.
        membership: the groups of this process: ``<number>:<controllers>:<path>``, a line each.
    """

    root: Path = Path("/sys/fs/cgroup")
    membership: Path = Path("/proc/self/cgroup")

    def count_cores(self) -> int:
        """Cores that the processes of the harness can use at once, at least 1; a quota is rounded down."""
        quotas = [quota for level in self._levels("cpu") if (quota := _read_quota(level)) is not None]
        sets = [count for level in self._levels("cpuset") if (count := _count_set(level))]
        return max(1, int(min([count_visible_cores(), *quotas, *sets])))

    def measure_free_memory(self) -> int:
        """Bytes that can be used before the kernel reclaims or kills; the least of machine and container."""
        free = [limit - used for limit, used in self._read_memory()]
        return max(0, min([psutil.virtual_memory().available, *free]))

    def count_kills(self) -> int:
        """Processes that the kernel has killed so far because the container reached its limit."""
        levels = list(self._levels("memory"))[:1]
        return sum(_read_fields(level / name).get("oom_kill", 0) for level in levels for name in _KILLS)

    def describe_kill(self, kills_before: int) -> str:
        """Why the kernel killed a process since ``kills_before`` was counted; empty where it killed none."""
        if self.count_kills() <= kills_before:
            return ""
        limits = [limit for limit, _ in self._read_memory(_HARD_LIMITS)]
        if not limits or min(limits) >= psutil.virtual_memory().total:
            return f"{_OUT_OF_MEMORY}: the machine has no memory left"
        return f"{_OUT_OF_MEMORY}: the container reached its limit of {min(limits) // _MIB} MiB"

    def _read_memory(self, names: Collection[str] = _LIMITS) -> Iterator[tuple[int, int]]:
        """Limit and use, in bytes, of each group with a limit; file cache that can be dropped is free."""
        for level in self._levels("memory"):
            limits = [limit for name in names if (limit := _read_number(level / name)) is not None]
            used = next((used for name in _USED if (used := _read_number(level / name)) is not None), None)
            if limits and used is not None:
                fields = _read_fields(level / "memory.stat")
                cache = next((fields[name] for name in reversed(_FILE_CACHE) if name in fields), 0)
                yield min(limits), max(0, used - cache)

    def _levels(self, controller: str) -> Iterator[Path]:
        """The folder of the own group and those above it, up to the mount.

        In a container without a namespace of its own the path is that of the host: the mount is the group.
        """
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for line in self.membership.read_text("utf-8").splitlines():
                _, _, rest = line.partition(":")
                controllers, _, path = rest.partition(":")
                if controllers and controller not in controllers.split(","):
                    continue
                mount = self.root / controller if controllers else self.root
                own = mount / path.lstrip("/")
                while own != mount and mount in own.parents:
                    if own.is_dir():
                        yield own
                    own = own.parent
                yield mount


def _read_quota(level: Path) -> float | None:
    """The cores that a quota allows; None without one."""
    try:
        if (level / "cpu.max").exists():
            quota, period = (level / "cpu.max").read_text("ascii").split()
        else:
            quota = (level / "cpu.cfs_quota_us").read_text("ascii").strip()
            period = (level / "cpu.cfs_period_us").read_text("ascii").strip()
        return int(quota) / int(period) if quota != "max" and int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _count_set(level: Path) -> int:
    """The cores in a set such as ``0-3,6``; 0 without one."""
    for name in ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"):
        with contextlib.suppress(OSError, ValueError):
            ranges = [
                part.split("-") for part in (level / name).read_text("ascii").strip().split(",") if part
            ]
            if ranges:
                return sum(int(each[-1]) - int(each[0]) + 1 for each in ranges)
    return 0


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):  # not of this version; "max" is no limit
        return None


def _read_fields(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    with contextlib.suppress(OSError, ValueError):
        pairs = (line.split() for line in path.read_text("ascii").splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
    return {}


# Class of the machine: results are reused within one class only.

_SAME_CLASS = ("system", "architecture", "cpu", "cpu_flags", "cores", "libc")
"""The facts that define a class; kernel version and memory size do not change a result."""


def read_machine() -> dict[str, str]:
    """The facts about this machine for the plan and the report."""
    info = _read_cpuinfo()
    flags = " ".join(sorted(info.get("flags", info.get("Features", "")).split()))
    facts = {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpu": info.get("model name") or platform.processor() or "unknown",
        "cpu_flags": hashlib.sha256(flags.encode()).hexdigest()[:12] if flags else "unknown",
        "cores": str(count_visible_cores()),  # a quota makes no other class: it may change any day
        "memory_bytes": str(psutil.virtual_memory().total),
        "libc": " ".join(platform.libc_ver()) or platform.mac_ver()[0] or "unknown",
        "harness_python": platform.python_version(),
    }
    return {**facts, "class": classify_machine(facts)}


def classify_machine(facts: dict[str, str]) -> str:
    """The class of a machine with these facts: equal classes may share results."""
    text = "\n".join(f"{name}={facts.get(name, '')}" for name in _SAME_CLASS)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read_cpuinfo() -> dict[str, str]:
    if sys.platform != "linux":
        return {}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}
