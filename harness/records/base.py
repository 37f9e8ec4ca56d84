"""What every record is made of: outcomes, statuses, verdicts, and the schema version."""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 1

CheckOutcome = Literal["pass", "fail", "error", "skip"]
"""What a check says inside its cell; expectations are applied later, by the judge."""

Outcome = Literal["pass", "fail", "error", "skip", "xfail", "xpass", "missing"]
"""What the judge says of a check. Red: fail, error, xpass, missing."""

CellStatus = Literal[
    "ok", "failed", "unsatisfiable", "install-error", "import-error", "crashed", "timed-out", "missing"
]
"""What became of a cell as a whole; ``missing`` is a planned cell without a result."""

Verdict = Literal["pass", "regressed", "inconclusive", "unsatisfiable", "error"]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen value that crosses a stage."""
