"""Signals and errors of a sweep, made into the one thing that its caller has to deal with."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from harness.errors import HarnessError, MachineError
from harness.files import describe_os_error

T = TypeVar("T")


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run``, with SIGTERM and SIGHUP ending the work the way Ctrl-C does: whole, no child left.

    A signal that whoever started the program wants ignored (nohup) stays ignored.

    Raises:
        KeyboardInterrupt: a signal ended it.
    """
    came_out: list[T] = []
    asyncio.run(_heed_signals(work, came_out))
    return came_out[0]


async def _heed_signals(work: Coroutine[Any, Any, T], came_out: list[T]) -> None:
    """Put what the work returns into ``came_out``.

    Not returned: CPython's ``signal`` writes out the main task with its result, which takes a second.
    """
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in one

    def end() -> None:
        came.set()
        task.cancel()

    # Not by way of SIGINT: a shell without job control starts `command &` with SIGINT ignored.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            loop.add_signal_handler(number, end)
    try:
        came_out.append(await work)
    except asyncio.CancelledError:
        if came.is_set():
            raise KeyboardInterrupt from None
        raise


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
    return MachineError(f"I/O error: {describe_os_error(error)}")


def _flatten(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _flatten(error)
        else:
            yield error
