"""The last lines of a log, fit to be shown to a person."""

from __future__ import annotations

import re
from pathlib import Path

TAIL_LINES = 20
_TAIL_BYTES = 64 * 1024
_LINE_LENGTH = 400
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def read_tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log, without escape sequences and control characters; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ()
    plain = _ESCAPES.sub("", text)
    lines = [_CONTROLS.sub("", line.rsplit("\r", 1)[-1]) for line in plain.rstrip().split("\n")]
    return tuple(line[:_LINE_LENGTH].rstrip() for line in lines[-TAIL_LINES:] if line.strip())
