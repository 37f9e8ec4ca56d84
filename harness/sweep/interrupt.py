"""Translate signals and concurrent errors of a sweep into one exception for the caller."""

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
    """``asyncio.run`` in which SIGTERM and SIGHUP act like Ctrl-C: cleanup runs, and every child ends.

    A signal that the parent process has set to be ignored (nohup) stays ignored.

    Raises:
        KeyboardInterrupt: a signal ended it.
    """
    returned: list[T] = []
    asyncio.run(_handle_signals(work, returned))
    return returned[0]


async def _handle_signals(work: Coroutine[Any, Any, T], returned: list[T]) -> None:
    """Await the work with signal handlers installed, and append its value to ``returned``.

    The value is not the result of the task: CPython's ``signal`` formats that, which takes a second.
    """
    loop, signalled = asyncio.get_running_loop(), asyncio.Event()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in one

    def end() -> None:
        signalled.set()
        task.cancel()

    # Not by way of SIGINT: a shell without job control starts `command &` with SIGINT ignored.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            loop.add_signal_handler(number, end)
    try:
        returned.append(await work)
    except asyncio.CancelledError:
        if signalled.is_set():
            raise KeyboardInterrupt from None
        raise


@contextlib.contextmanager
def one_error() -> Iterator[None]:
    """Reduce a group of errors of several cells to the most informative one.

    Raises:
        HarnessError: the first one, or an error of the operating system as a MachineError.
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
