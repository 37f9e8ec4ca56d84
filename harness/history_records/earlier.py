"""What the runs before one tell of it."""

from __future__ import annotations

from harness.history_records.comparison import Comparison
from harness.history_records.trends import Trends
from harness.records import Record


class Earlier(Record, frozen=True, kw_only=True):
    """For the page of a run; what its history cannot tell is None.

    ``since`` compares it with the run before it on the same class of machine; ``trends`` end with it.
    """

    since: Comparison | None = None
    trends: Trends | None = None
