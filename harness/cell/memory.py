"""Resident memory of this process, now and at its peak, from the kernel; bytes throughout."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path
from typing import Any, Callable, Dict

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Written to ``clear_refs`` it sets the peak back to what is resident now (proc(5), Linux 4.0)."""

_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, KiB elsewhere


class PeakUnknownError(Exception):
    """This platform does not tell the peak of a call."""


def peak_bytes() -> int:
    """Highest resident size of this process since it started, or since its peak was last reset."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def high_water_bytes() -> int:
    """Highest resident size of this program image, from the kernel.

    On Linux ``peak_bytes`` survives exec: a small process started by a large one would tell the size of the
    large one. Where there is no ``/proc`` (macOS) it is all that there is.
    """
    try:
        return _read_status()["VmHWM"]
    except (OSError, KeyError):
        return peak_bytes()


def resident_bytes() -> int:
    """Resident size of this process now; its peak where the kernel does not tell."""
    try:
        return _read_status()["VmRSS"]
    except (OSError, KeyError):
        return peak_bytes()


def measure_growth(call: Callable[[], Any]) -> int:
    """How far the peak of the process rises above what is resident before, result included.

    Raises:
        PeakUnknownError: the kernel does not tell, or does not let its mark be reset.
    """
    gc.collect()
    try:
        CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")
        before = _read_status()["VmRSS"]
        result = call()
        peak = _read_status()["VmHWM"]
    except (OSError, KeyError) as error:
        raise PeakUnknownError(f"the peak of a call cannot be measured here: {error}") from error
    del result
    return peak - before


class PeakMemory:
    """The peak of the whole process, although a check resets the kernel's own mark."""

    def __init__(self) -> None:
        self._highest = 0

    def sample(self) -> int:
        """Bytes at the highest mark so far; call it before and after the mark can be reset."""
        self._highest = max(self._highest, peak_bytes())
        return self._highest


def _read_status() -> Dict[str, int]:
    """The sizes in ``/proc/self/status``, such as VmRSS and VmHWM."""
    lines = (line.split() for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[2:] == ["kB"]}
