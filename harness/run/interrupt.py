"""Signals and errors of a sweep, made into the one thing that its caller has to deal with."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from harness.errors import HarnessError, MachineError


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """While entered, SIGTERM and SIGHUP end a sweep the way Ctrl-C does: asyncio cancels it."""
    loop = asyncio.get_running_loop()
    handled = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        # outside the main thread whoever started it handles signals
        with contextlib.suppress(RuntimeError, ValueError):
            loop.add_signal_handler(number, signal.raise_signal, signal.SIGINT)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def one_error() -> Iterator[None]:
    """Of errors in several cells at once, raise the one that says most to a person.

    Raises:
        HarnessError: the first of them, or what the operating system said as a MachineError.
    """
    try:
        yield
    except OSError as error:
        raise _explain(error) from error
    except BaseExceptionGroup as group:
        errors = list(_flatten(group))
        for one in errors:
            if isinstance(one, HarnessError):
                raise one from group
        for one in errors:
            if isinstance(one, OSError):
                raise _explain(one) from group
        raise


def _explain(error: OSError) -> MachineError:
    return MachineError(f"the machine could not do its part: {error}")


def _flatten(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _flatten(error)
        else:
            yield error
