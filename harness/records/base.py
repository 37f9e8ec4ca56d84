"""What every record is made of: outcomes, statuses, verdicts, and the schema version."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

SCHEMA = 1

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a damaged or hostile JSON file raises."""

MAX_NAME = 250
"""Bytes of a name; file systems end at 255."""

CheckOutcome = Literal["pass", "fail", "error", "skip"]
"""What a check says inside its cell; expectations are applied later, by the judge."""

Outcome = Literal["pass", "fail", "error", "skip", "xfail", "xpass", "missing"]
"""What the judge says of a check. Red: fail, error, xpass, missing."""

CellStatus = Literal[
    "ok", "failed", "unsatisfiable", "install-error", "import-error", "crashed", "timed-out", "missing"
]
"""What became of a cell as a whole; ``missing`` is a planned cell without a result."""

Verdict = Literal["pass", "regressed", "inconclusive", "unsatisfiable", "error"]


def name_fault(name: str) -> str:
    """Why a name that a file holds could not be that of a file or folder; empty where it could."""
    if name in {"", ".", ".."} or "/" in name or "\\" in name or not name.isprintable():
        return f"{name[:80]!r} is a path or no name at all, but a plain name was expected"
    return f"a name of {len(name)} characters" if len(name.encode()) > MAX_NAME else ""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen value that crosses a stage."""


def digest_value(value: object) -> str:
    """Sha256 of the canonical JSON of a value."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
