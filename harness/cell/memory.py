"""Resident memory of this process, now and at its peak, from the kernel."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, KiB elsewhere


def peak_bytes() -> int:
    """Highest resident size of this process since it started, or since its peak was last reset."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def resident_bytes() -> int:
    """Resident size of this process now; its peak where the kernel does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return peak_bytes()
    return pages * resource.getpagesize()


class PeakMemory:
    """The peak of the whole process, although a check resets the kernel's own mark."""

    def __init__(self) -> None:
        self._highest = 0

    def sample(self) -> int:
        """Bytes at the highest mark so far; call it before and after the mark can be reset."""
        self._highest = max(self._highest, peak_bytes())
        return self._highest
