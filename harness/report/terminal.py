"""From something that rich can draw to the text that a terminal or a log gets."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from harness.report.escape import disarm_commands, to_ascii

if TYPE_CHECKING:
    from rich.console import RenderableType


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
