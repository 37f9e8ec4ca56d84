"""What a command waits for, printed again and again while it does."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import click

from harness.records import discard
from harness.report.console import show_clock
from harness.report.escape import shorten

QUIET = 4.0
"""Seconds until a wait is printed, and printed again; with ``PERIOD`` less than five."""

PERIOD = 0.9
"""Seconds between two looks at the clock."""


@dataclass
class Waiting:
    """What a command waits for, and since when; ``say`` prints a line, ``clock`` gives seconds.

    Lines come from a thread, so that a computation of the command does not hold them up. They are left out
    while ``drawn``, when a board shows the same.
    """

    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    drawn: bool = False
    _what: str = ""
    _detail: str = ""
    _since: float = 0.0
    _said: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, what: str, detail: str = "") -> None:
        """Wait for something from now on, or for the same with another detail; for nothing if it is empty."""
        with self._guard:
            if what != self._what:
                self._since = self._said = self.clock()
            self._what, self._detail = what, detail

    def describe(self) -> str:
        """What is waited for, with the time so far; empty if nothing is."""
        with self._guard:
            return self._describe(self.clock())

    def tick(self) -> None:
        """Print the wait if it has lasted ``QUIET`` seconds since its start or its last line."""
        with self._guard:
            now = self.clock()
            if not self._what or self.drawn or now - self._said < QUIET:
                return
            self._said, line = now, self._describe(now)
        self.say(line)

    def _describe(self, now: float) -> str:
        if not self._what:
            return ""
        detail = f" {self._detail}" if self._detail else ""
        return f"waiting ({show_clock(now - self._since)}): {shorten(f'{self._what}{detail}', 160)}"

    @contextlib.contextmanager
    def watch(self, period: float = PERIOD) -> Iterator[Waiting]:
        """Look at the clock every ``period`` seconds while the block runs."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(period):
                self.tick()

        thread = threading.Thread(target=look, name="waiting", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join()


def find_waiting() -> Waiting:
    """The waits of the command that runs; without one, waits that nothing prints."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Waiting) if context is not None else None
    return Waiting(discard) if found is None else found
