"""What machine this is: results of another class of machine are not taken for results of this one."""

from __future__ import annotations

import hashlib
import platform
import sys
from pathlib import Path

import psutil

from harness.run.options import count_cores

_SAME_CLASS = ("system", "architecture", "cpu", "cpu_flags", "cores", "libc")
"""What makes a class: a new kernel, or a little more memory, does not change a result."""


def read_machine() -> dict[str, str]:
    """Facts about this machine, for the plan and the report."""
    info = _read_cpuinfo()
    flags = " ".join(sorted(info.get("flags", info.get("Features", "")).split()))
    facts = {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpu": info.get("model name") or platform.processor() or "unknown",
        "cpu_flags": hashlib.sha256(flags.encode()).hexdigest()[:12] if flags else "unknown",
        "cores": str(count_cores()),
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
