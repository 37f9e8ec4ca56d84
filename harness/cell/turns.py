"""The turns of a latency scenario: one round of every cell runs in the same slice of time.

pytest-benchmark calls ``teardown`` after every round, and once more after an extra call that follows the last
round (seen with 5.3.1 for three rounds of two calls: ccTccTccTcT). ``pass_on`` is that teardown: it hands the
turn to the next cell and waits for its own. The last turn is handed on only when pedantic has returned, so
that the extra call does not fall into the turn of another cell. Without a controller every turn is granted.
"""

from __future__ import annotations

import random
import time
from typing import Any, Callable, Sequence, Tuple

from harness.cell.channel import Channel

PADDING, STEP, PAGE = 65_536, 16, 4096
"""Bytes: what lies below the arrays of a turn, and by how much that differs from turn to turn."""

LONG_CALL = 0.02
"""Seconds of a call from which on one is as good as three, to warm up or to know how long it takes."""

UNATTENDED = (5, 1)
"""Rounds and calls a round where nobody says how many."""


class Turns:
    """Waits for the turns of one scenario, and hands them on."""

    def __init__(self, channel: Channel, scenario: str) -> None:
        self._channel = channel
        self._scenario = scenario
        self._rounds = 0
        self._done = 0
        self._turn = 0  # the number that the controller gave the turn that is ours
        self._warm_up = 0
        self._padding = bytearray()

    def begin(self, target: Callable[[], Any]) -> Tuple[int, int]:
        """Say that the scenario is warm, calibrate when asked to, and wait for the first turn.

        Returns:
            How many rounds, and how many calls each.

        Raises:
            ChannelClosedError: the controller is gone.
            RuntimeError: it said something that is not due.
        """
        if not self._channel.attended:
            return UNATTENDED
        self._channel.send("ready", scenario=self._scenario)
        said = self._channel.wait_any()
        if said.get("command") == "calibrate":
            self._channel.send("calibrated", scenario=self._scenario, seconds=calibrate(target))
            said = self._channel.wait("begin")
        elif said.get("command") != "begin":
            raise RuntimeError(f"the controller said {said!r}, but 'calibrate' or 'begin' was due")
        self._rounds = int(said["rounds"])
        self._target, self._warm_up = target, int(said["warm_up"])
        self._wait_turn()
        return self._rounds, int(said["iterations"])

    def pass_on(self) -> None:
        """After a round: hand the turn on, wait for the next; nothing after the last and the extra call."""
        self._done += 1
        if self._done < self._rounds:
            self._hand_on()
            self._wait_turn()

    def finish(self, iterations: int, rounds: Sequence[float]) -> None:
        """Hand on the last turn, then tell the rounds: seconds per call, in their order."""
        if self._channel.attended:
            self._hand_on()
            measured = [float(seconds) for seconds in rounds]
            self._channel.send("timed", scenario=self._scenario, iterations=iterations, rounds=measured)

    def _wait_turn(self) -> None:
        """Wait, then make the calls that are not timed: the machine has been with others since.

        Before them the heap is shifted by a random part of a page. Where arrays begin in a page decides how
        fast they are, and that follows from all that was allocated before, down to the length of the paths
        in the bytecode: the same NumPy in another folder took 1.03 to 1.10 times as long, in every process
        of that folder, and 0.99 to 1.01 with this (2026-11). Addresses are random by whole pages only.
        """
        self._turn = int(self._channel.wait("turn")["round"])
        self._padding = bytearray()  # gives the old one back first
        self._padding = bytearray(PADDING + STEP * random.randrange(PAGE // STEP))  # noqa: S311 - no secret
        for _ in range(self._warm_up):
            self._target()

    def _hand_on(self) -> None:
        self._channel.send("turn-done", scenario=self._scenario, round=self._turn)


def calibrate(target: Callable[[], Any]) -> float:
    """Seconds of one call: the fastest of three, of a long one the first."""
    first = _time_call(target)
    return first if first >= LONG_CALL else min(first, _time_call(target), _time_call(target))


def warm_up(target: Callable[[], Any]) -> None:
    """Three calls, of long ones the first: that is the one that is slower than the rest."""
    if _time_call(target) < LONG_CALL:
        target()
        target()


def _time_call(target: Callable[[], Any]) -> float:
    start = time.perf_counter()
    target()
    return time.perf_counter() - start
