"""The turns of a latency scenario: one round of every cell runs in the same slice of time.

pytest-benchmark calls ``teardown`` after every round, and again after an extra call that follows the last
round (seen with 5.3.1 for three rounds of two calls: ccTccTccTcT). ``pass_on`` is that teardown: it passes
the turn to the next cell and waits for its own. The last turn is passed on after pedantic has returned, so
the extra call is not in the turn of another cell. Without a controller every turn is granted.
"""

from __future__ import annotations

import random
import time
from typing import Any, Callable, Sequence, Tuple

from harness.cell.channel import Channel

PADDING, STEP, PAGE = 65_536, 16, 4096
"""Bytes of padding below the arrays of a turn: the base size, and its random variation."""

LONG_CALL = 0.02
"""Seconds of a call from which a single call is enough for warm-up and calibration."""

UNATTENDED = (5, 1)
"""Rounds, and calls per round, without a controller."""


class Turns:
    """The turns of one scenario: waiting for them, and passing them on."""

    def __init__(self, channel: Channel, scenario: str) -> None:
        self._channel = channel
        self._scenario = scenario
        self._rounds = 0
        self._done = 0
        self._turn = 0  # number of the present turn, from the controller
        self._warm_up = 0
        self._padding = bytearray()

    def begin(self, target: Callable[[], Any]) -> Tuple[int, int]:
        """Send that the scenario is warm, calibrate on request, and wait for the first turn.

        Returns:
            Number of rounds, and of calls per round.

        Raises:
            ChannelClosedError: the controller is gone.
            RuntimeError: an unexpected command came.
        """
        if not self._channel.connected:
            return UNATTENDED
        self._channel.send("ready", scenario=self._scenario)
        received = self._channel.wait_any()
        if received.get("command") == "calibrate":
            self._channel.send("calibrated", scenario=self._scenario, seconds=calibrate(target))
            received = self._channel.wait("begin")
        elif received.get("command") != "begin":
            raise RuntimeError(f"unexpected command {received!r} while waiting for 'calibrate' or 'begin'")
        self._rounds = int(received["rounds"])
        self._target, self._warm_up = target, int(received["warm_up"])
        self._wait_turn()
        return self._rounds, int(received["iterations"])

    def pass_on(self) -> None:
        """Pass the turn on and wait for the next one; no effect after the last round and the extra call."""
        self._done += 1
        if self._done < self._rounds:
            self._hand_on()
            self._wait_turn()

    def finish(self, iterations: int, rounds: Sequence[float]) -> None:
        """Pass on the last turn, then send the rounds: seconds per call, in order."""
        if self._channel.connected:
            self._hand_on()
            measured = [float(seconds) for seconds in rounds]
            self._channel.send("timed", scenario=self._scenario, iterations=iterations, rounds=measured)

    def _wait_turn(self) -> None:
        """Wait for the turn, then warm up with untimed calls, because other processes ran meanwhile.

        Before these calls the heap is shifted by a random part of a page. The place of arrays in a page
        affects their speed, and depends on all earlier allocations, down to the length of paths in the
        bytecode. The same NumPy in another folder took 1.03 to 1.10 times as long, in every process of that
        folder, and 0.99 to 1.01 with the shift (2026-11). Address randomization has whole pages only.
        """
        self._turn = int(self._channel.wait("turn")["round"])
        self._padding = bytearray()  # free the old one first
        self._padding = bytearray(PADDING + STEP * random.randrange(PAGE // STEP))  # noqa: S311 - no secret
        for _ in range(self._warm_up):
            self._target()

    def _hand_on(self) -> None:
        self._channel.send("turn-done", scenario=self._scenario, round=self._turn)


def calibrate(target: Callable[[], Any]) -> float:
    """Seconds of one call: the fastest of three, or the first if it is long."""
    first = _time_call(target)
    return first if first >= LONG_CALL else min(first, _time_call(target), _time_call(target))


def warm_up(target: Callable[[], Any]) -> None:
    """Make three calls, or one if it is long; the first call is slower than the rest."""
    if _time_call(target) < LONG_CALL:
        target()
        target()


def _time_call(target: Callable[[], Any]) -> float:
    start = time.perf_counter()
    target()
    return time.perf_counter() - start
