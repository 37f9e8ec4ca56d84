"""From something that rich can draw to the text that a terminal or a log gets."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from harness.report.escape import disarm_commands, scrub, to_ascii
from harness.report.view import SIGNS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.report.view import SignKind

STYLES: dict[SignKind, str] = {
    "pass": "green",
    "xfail": "yellow",
    "red": "bold red",
    "missing": "magenta",
    "skip": "dim",
    "none": "dim",
}


@dataclass(frozen=True)
class Alphabet:
    """What the encoding of a terminal can show: all of Unicode, or ASCII only."""

    unicode: bool = True

    def say(self, text: str, style: str = "") -> Text:
        """Text that is shown as it is, whatever a package wrote into it."""
        clean = scrub(text)
        return Text(clean if self.unicode else to_ascii(clean), style=style, overflow="fold")

    def indent(self, text: str, by: int = 2, style: str = "") -> Padding:
        """The same, ``by`` columns further in."""
        return Padding(self.say(text, style), (0, 0, 0, by))

    def sign(self, kind: SignKind) -> str:
        """The sign of a kind."""
        return SIGNS[kind][0 if self.unicode else 1]


def print_to_text(renderable: RenderableType, *, width: int, color: bool, unicode: bool) -> str:
    """What rich makes of something at a given width, with nothing in it that a terminal or CI would obey."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},  # the same text whatever NO_COLOR, COLUMNS and TERM say: the caller has decided
    )
    console.print(renderable, end="")
    text = disarm_commands(file.getvalue())
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return lines if unicode else to_ascii(lines)
