"""The exceptions of the harness, each with the exit code that it leads to."""

from __future__ import annotations

from enum import IntEnum

from harness.redaction import redact


class ExitCode(IntEnum):
    """What a run says to the process that started it."""

    PASS = 0
    REGRESSED = 1
    USAGE = 2
    UNSATISFIABLE = 3
    INCONCLUSIVE = 4
    ERROR = 5
    INTERRUPTED = 130  # as a shell has it: 128 and the number of SIGINT


class HarnessError(Exception):
    """Something that a person has to put right; its text is the whole message, without credentials."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


class UsageError(HarnessError):
    """A file or an option breaks a rule; the message names it and what was expected (exit 2)."""

    exit_code = ExitCode.USAGE


class NoSolutionError(HarnessError):
    """What everything else rests on cannot be resolved (exit 3)."""

    exit_code = ExitCode.UNSATISFIABLE


class MachineError(HarnessError):
    """The machine could not do its part: no network, no disk, no interpreter (exit 5)."""

    exit_code = ExitCode.ERROR


class InterruptedGateError(HarnessError):
    """Somebody ended a gate before it was over; its text says what is kept (exit 130)."""

    exit_code = ExitCode.INTERRUPTED


class StoreError(MachineError):
    """An environment, a model or a stored result could not be made or read (exit 5)."""
