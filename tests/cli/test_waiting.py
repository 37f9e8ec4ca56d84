"""A command that waits says for what: after a few seconds, again and again, and only then."""

from __future__ import annotations

import threading

import click
import pytest
from support.command_line import command
from support.runs import make_plan, make_planned

from harness.cli import maintain
from harness.cli.screen import Screen, print_aside
from harness.cli.waiting import PERIOD, QUIET, Waiting, find_waiting
from harness.records import Progress
from harness.report.console import BoardState

LONG = 60.0
"""Seconds until a test gives up on a thread."""


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """Waits with a clock of their own, and the lines that they print."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.clock = Clock()
        self.waiting = Waiting(self.said.append, self.clock)

    def pass_seconds(self, seconds: int) -> list[str]:
        """Let seconds pass, each with a look at the clock; returns what was printed meanwhile."""
        before = len(self.said)
        for _ in range(seconds):
            self.clock.now += 1
            self.waiting.tick()
        return self.said[before:]


@pytest.fixture(name="bench")
def bench_fixture() -> Bench:
    return Bench()


@pytest.fixture(name="screen")
def screen_fixture(bench: Bench) -> Screen:
    with click.Context(click.Command("x"), obj=bench.waiting):
        return Screen(plain=True)


def test_a_wait_is_said_within_five_seconds_and_again(bench: Bench) -> None:
    bench.waiting.begin("the package indexes")
    assert QUIET + PERIOD < 5
    assert bench.pass_seconds(3) == []
    assert bench.pass_seconds(10) == [
        "waiting (0:04): the package indexes",
        "waiting (0:08): the package indexes",
        "waiting (0:12): the package indexes",
    ]


def test_a_short_wait_is_not_said(bench: Bench) -> None:
    for number in range(10):
        bench.waiting.begin(f"step {number}")
        assert bench.pass_seconds(3) == []
    bench.waiting.begin("")
    assert bench.pass_seconds(100) == []


def test_a_detail_does_not_start_the_wait_again(bench: Bench) -> None:
    bench.waiting.begin("cell contract", "1/64")
    bench.pass_seconds(3)
    bench.waiting.begin("cell contract", "2/64")
    assert bench.pass_seconds(1) == ["waiting (0:04): cell contract 2/64"]


def test_a_board_says_it_instead(bench: Bench) -> None:
    bench.waiting.begin("the probes")
    bench.waiting.drawn = True
    assert bench.pass_seconds(9) == []
    assert bench.waiting.describe() == "waiting (0:09): the probes"


def test_it_is_said_while_the_command_computes() -> None:
    said, heard = [], threading.Event()

    def say(line: str) -> None:
        said.append(line)
        heard.set()

    clock = Clock()
    waiting = Waiting(say, clock)
    with waiting.watch(period=0.001):
        waiting.begin("a computation")
        clock.now += QUIET
        assert heard.wait(LONG)
    assert said[0] == "waiting (0:04): a computation"
    assert "waiting" not in {thread.name for thread in threading.enumerate()}


def test_every_command_is_watched_while_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look() -> str:
        waiting, clock = find_waiting(), Clock()
        assert "waiting" in {thread.name for thread in threading.enumerate()}
        waiting.clock = clock
        waiting.begin("the schema")
        clock.now += QUIET
        waiting.tick()
        return "{}"

    monkeypatch.setattr(maintain, "render_schema", look)
    assert command(monkeypatch, "schema") == 0
    assert capsys.readouterr() == ("{}", "waiting (0:04): the schema\n")


def test_the_longest_running_cell_is_waited_for(bench: Bench, screen: Screen) -> None:
    screen.notify(Progress(cell="a", stage="resolving"))
    screen.notify(Progress(cell="b", stage="resolving"))
    assert bench.pass_seconds(4) == ["waiting (0:04): a resolving and 1 more"]
    screen.notify(Progress(cell="a", stage="resolved"))
    assert bench.pass_seconds(4) == ["waiting (0:04): b resolving"]
    with screen.board(make_plan(make_planned("a"), make_planned("b"))):
        assert bench.pass_seconds(4) == ["waiting (0:04): the model and the suite"]
        screen.notify(Progress(cell="a", stage="environment", note="another process installs it"))
        screen.notify(Progress(cell="b", stage="queued"))
        assert bench.pass_seconds(4) == ["waiting (0:04): a environment another process installs it"]
        screen.notify(Progress(cell="a", stage="contract", done=3, total=64))
        screen.notify(Progress(cell="", stage="note", note="the cache is old"))
        assert bench.pass_seconds(4) == ["waiting (0:04): a contract 3/64"]
        for cell in "ab":
            screen.notify(Progress(cell=cell, stage="ok"))
        assert bench.pass_seconds(4) == ["waiting (0:04): the next step"]
        screen.notify(Progress(cell="embedding", stage="latency", done=1, total=8, note="2 of 4 open"))
        assert bench.pass_seconds(4) == ["waiting (0:04): embedding latency 1/8 2 of 4 open"]
        screen.notify(Progress(cell="", stage="note", note="cause: searching"))
        assert bench.pass_seconds(4) == ["waiting (0:04): cause: searching"]


def test_a_wait_alone_prints_nothing_and_is_on_no_board(
    screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.wait("the settings of pip")
    assert capsys.readouterr().out == ""
    assert screen._state == BoardState((), screen._state.started, {}, {}, {})


def test_lines_obey_nobody_and_leave_the_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = Waiting(print_aside, lambda: 0.0)
    waiting.clock = iter([0.0, 9.0]).__next__
    waiting.begin("a\x1b[2J\n::error::b")
    waiting.tick()
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), "\x1b" in err, "\n::" in err) == ("", 1, False, False)
