"""How a cell process can come to an end, in words."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable

from harness.files import find_no_space
from harness.records import CellResult, CellStatus

FINISHED = frozenset({"ok", "failed", "import-error"})
"""Statuses that a second run would see again; a crash or a time-out may have been the machine's doing."""

_BYTECODE = re.compile(r"marshal data|EOF read where|Non-code object in")
"""What an import says of bytecode that is cut off or damaged."""


class CellEndedError(Exception):
    """A cell process came to an end of its own: the status that it gets, and one sentence of why."""

    def __init__(self, status: CellStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def find_fault_of_machine(messages: Iterable[str]) -> str:
    """What the first message that is about disk or bytecode says; empty where all are about versions.

    Such an end is an ``install-error``, which no verdict takes for a regression.
    """
    for message in messages:
        if full := find_no_space(message):
            return full
        if _BYTECODE.search(message):
            return f"bytecode is damaged ({message})"
    return ""


def is_lasting(result: CellResult) -> bool:
    """Whether a second run would see the same: only then is a result kept for later runs.

    Not where files changed that the cell was given, for a second run is given others.
    """
    messages = (result.reason, *(case.message for case in result.cases), *result.untimed.values())
    return result.status in FINISHED and not result.edited and not find_fault_of_machine(messages)


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
