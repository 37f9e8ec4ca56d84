"""The cell's side of the turns, against a controller that is played by the test."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cell import turns as turns_module
from harness.cell.channel import Channel, ChannelClosedError
from harness.cell.turns import LONG_CALL, PADDING, PAGE, STEP, Turns, calibrate, warm_up


class Controller:
    """The other end of a channel."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.channel = Channel(theirs.detach())
        self._lines = self.ours.makefile("r")

    def say(self, command: str, **fields: int) -> None:
        self.ours.sendall(json.dumps({"command": command, **fields}).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._lines.readline())
        return said


@pytest.fixture
def controller() -> Iterator[Controller]:
    controller = Controller()
    with controller.ours, controller._lines:
        yield controller
    controller.channel._socket.close()  # type: ignore[union-attr] # made with a descriptor above
    controller.channel._lines.close()  # type: ignore[union-attr] # likewise


def measure(turns: Turns, calls: list[str]) -> None:
    """Call as pytest-benchmark does: teardown after each round, and once after an extra call."""
    rounds, iterations = turns.begin(lambda: calls.append("calibrate"))
    for _ in range(rounds):
        calls.extend(["c"] * iterations)
        turns.pass_on()
    calls.append("extra")
    turns.pass_on()
    turns.finish(iterations, [0.5] * rounds)


def test_every_round_runs_in_a_turn_of_its_own(controller: Controller) -> None:
    calls: list[str] = []
    thread = threading.Thread(target=measure, args=(Turns(controller.channel, "s"), calls))
    thread.start()
    heard = [controller.hear()]
    controller.say("calibrate")
    calibrated = controller.hear()
    controller.say("begin", rounds=3, iterations=2, warm_up=0)
    seen = []
    for number in (10, 11, 12):
        seen.append(list(calls))
        controller.say("turn", round=number)
        heard.append(controller.hear())
    heard.append(controller.hear())
    thread.join()
    assert calibrated.pop("seconds") >= 0
    assert calibrated == {"event": "calibrated", "scenario": "s"}
    assert heard == [
        {"event": "ready", "scenario": "s"},
        {"event": "turn-done", "scenario": "s", "round": 10},
        {"event": "turn-done", "scenario": "s", "round": 11},
        {"event": "turn-done", "scenario": "s", "round": 12},
        {"event": "timed", "scenario": "s", "iterations": 2, "rounds": [0.5, 0.5, 0.5]},
    ]
    warm = ["calibrate"] * 3
    assert seen == [warm, [*warm, "c", "c"], [*warm, "c", "c", "c", "c"]]
    assert calls == [*warm, *["c"] * 6, "extra"]


def test_a_single_round_ends_with_its_extra_call(controller: Controller) -> None:
    calls: list[str] = []
    controller.say("begin", rounds=1, iterations=1, warm_up=0)
    controller.say("turn", round=0)
    measure(Turns(controller.channel, "s"), calls)
    assert [controller.hear()["event"] for _ in range(3)] == ["ready", "turn-done", "timed"]
    assert calls == ["c", "extra"]


def test_a_turn_begins_with_calls_that_are_not_timed(controller: Controller) -> None:
    calls: list[str] = []
    controller.say("begin", rounds=2, iterations=2, warm_up=2)
    controller.say("turn", round=0)
    controller.say("turn", round=1)
    measure(Turns(controller.channel, "s"), calls)
    assert calls == [
        *["calibrate"] * 2,
        "c",
        "c",
        *["calibrate"] * 2,
        "c",
        "c",
        "extra",
    ]  # the target says calibrate
    assert [controller.hear()["event"] for _ in range(4)] == ["ready", "turn-done", "turn-done", "timed"]


def test_each_turn_begins_elsewhere_in_a_page(controller: Controller) -> None:
    """Where arrays begin in a page decides how fast they are: no folder shall be lucky in every turn."""
    turns, sizes = Turns(controller.channel, "s"), list[int]()
    controller.say("begin", rounds=20, iterations=1, warm_up=1)
    for number in range(20):
        controller.say("turn", round=number)
    rounds, _ = turns.begin(lambda: sizes.append(len(turns._padding)))
    for _ in range(rounds - 1):
        turns.pass_on()
    assert len(sizes) == 20
    assert len(set(sizes)) > 10
    assert all(PADDING <= size < PADDING + PAGE and size % STEP == 0 for size in sizes)


@pytest.mark.parametrize(("seconds", "calls"), [(0.001, 3), (LONG_CALL * 1.01, 1), (0.3, 1)])
def test_one_long_call_is_enough_to_be_warm_and_to_know_its_time(
    seconds: float, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[float] = []
    clock = iter(range(1000))
    monkeypatch.setattr(turns_module, "time", SimpleNamespace(perf_counter=lambda: next(clock) * seconds))
    assert calibrate(lambda: made.append(0)) == pytest.approx(seconds)
    assert len(made) == calls
    warm_up(lambda: made.append(0))
    assert len(made) == 2 * calls


def test_without_a_controller_nobody_is_waited_for() -> None:
    calls: list[str] = []
    measure(Turns(Channel(None), "s"), calls)
    assert calls == [*["c"] * 5, "extra"]


def test_a_controller_that_goes_away_is_noticed(controller: Controller) -> None:
    controller.ours.shutdown(socket.SHUT_WR)
    with pytest.raises(ChannelClosedError):
        Turns(controller.channel, "s").begin(lambda: None)


def test_a_command_that_is_not_due_is_a_fault(controller: Controller) -> None:
    controller.say("next")
    with pytest.raises(RuntimeError, match=r"unexpected command .* while waiting for 'calibrate' or 'begin'"):
        Turns(controller.channel, "s").begin(lambda: None)
