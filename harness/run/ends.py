"""How a cell process can come to an end, in words."""

from __future__ import annotations

import signal

from harness.records import CellStatus


class CellEndedError(Exception):
    """A cell process came to an end of its own: the status that it gets, and one sentence of why."""

    def __init__(self, status: CellStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


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
