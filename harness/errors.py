"""The exceptions of the harness, each with the exit code that it leads to."""

from __future__ import annotations

from enum import IntEnum

from harness.redaction import redact


class ExitCode(IntEnum):
    """The exit codes of the command; each answers what the run found."""

    PASS = 0
    REGRESSED = 1
    USAGE = 2
    UNSATISFIABLE = 3
    INCONCLUSIVE = 4
    ERROR = 5
    INTERRUPTED = 130  # shell convention: 128 plus the number of SIGINT


class HarnessError(Exception):
    """A failure that a person has to correct; its text is the complete message, without credentials."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


class UsageError(HarnessError):
    """Invalid usage or configuration; the message names the file, the key and what was expected (exit 2)."""

    exit_code = ExitCode.USAGE


class NoSolutionError(HarnessError):
    """The resolver found no solution for an environment that the command requires (exit 3)."""

    exit_code = ExitCode.UNSATISFIABLE


class MachineError(HarnessError):
    """I/O error or missing resource: network, disk, interpreter or an external program (exit 5)."""

    exit_code = ExitCode.ERROR


class InterruptedGateError(HarnessError):
    """A signal ended a gate early; the message lists what was kept (exit 130)."""

    exit_code = ExitCode.INTERRUPTED


class StoreError(MachineError):
    """An environment, a model or a stored result could not be created or read (exit 5)."""
