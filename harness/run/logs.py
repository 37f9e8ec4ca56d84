"""The last lines of a log, fit to be shown to a person: without control characters and credentials."""

from __future__ import annotations

import re
from pathlib import Path

from harness.redaction import redact

TAIL_LINES = 20
_TAIL_BYTES = 64 * 1024
_LINE_LENGTH = 400
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def read_tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log, without escape sequences and control characters; empty where there is none."""
    try:
        with log.open("rb") as file:
            begin = max(0, file.seek(0, 2) - _TAIL_BYTES)
            file.seek(begin)
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ()
    if begin:  # a word cut in half may be the end of an address, which nothing would tell from other text
        text = re.sub(r"^\S+", "", text)
    plain = _ESCAPES.sub("", text)
    lines = [redact(_CONTROLS.sub("", line.rsplit("\r", 1)[-1])) for line in plain.rstrip().split("\n")]
    return tuple(line[:_LINE_LENGTH].rstrip() for line in lines[-TAIL_LINES:] if line.strip())
