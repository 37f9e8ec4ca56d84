"""Where the live board is drawn and colours are used, and where not."""

from __future__ import annotations

import io
import sys

import pytest
from support.runs import make_plan, make_planned

from harness.cli.screen import Screen
from harness.records import Progress


class Output(io.TextIOWrapper):
    """Standard output, on a terminal or not."""

    def __init__(self, *, terminal: bool) -> None:
        self.written = io.BytesIO()
        super().__init__(self.written, encoding="utf-8", write_through=True)
        self._is_terminal = terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("terminal", "environ", "board", "color"),
    [
        (True, {}, True, True),
        (True, {"NO_COLOR": "1"}, True, False),
        (True, {"TERM": "dumb"}, False, False),
        (False, {}, False, False),
        (False, {"FORCE_COLOR": "1"}, False, True),
    ],
)
def test_board_on_terminals_and_lines_elsewhere(
    *,
    terminal: bool,
    environ: dict[str, str],
    board: bool,
    color: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm-256color"} | environ).items():
        monkeypatch.setenv(name, value)
    output = Output(terminal=terminal)
    monkeypatch.setattr(sys, "stdout", output)
    screen = Screen(plain=False)
    assert screen.color == color
    with screen.board(make_plan(make_planned("good"))):
        screen.notify(Progress(cell="good", stage="imports"))
    said = output.written.getvalue().decode()
    assert ("\x1b[1m" in said) == color
    assert ("elapsed" in said) == board
    assert ("[ 0:00] good imports\n" in said) == (not board)


def test_closed_output_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    screen = Screen(plain=False)
    with screen.board(make_plan(make_planned("good"))):
        screen.notify(Progress(cell="good", stage="imports"))
    assert (screen.color, screen.unicode) == (False, False)
