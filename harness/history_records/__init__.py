"""The frozen records of history and comparison: what is kept of a run, and what two runs differ in."""

from __future__ import annotations

from harness.history_records.comparison import (
    Comparison,
    Difference,
    DifferenceKind,
)
from harness.history_records.earlier import Earlier
from harness.history_records.past import (
    Bound,
    CaseMeasure,
    CellMeasures,
    LatencyMeasure,
    PastRun,
    RunKind,
    Snapshot,
)
from harness.history_records.trends import (
    ChangePoint,
    Trend,
    TrendKind,
    TrendPoint,
    Trends,
)

__all__ = [
    "Bound",
    "CaseMeasure",
    "CellMeasures",
    "ChangePoint",
    "Comparison",
    "Difference",
    "DifferenceKind",
    "Earlier",
    "LatencyMeasure",
    "PastRun",
    "RunKind",
    "Snapshot",
    "Trend",
    "TrendKind",
    "TrendPoint",
    "Trends",
]
