"""The frozen records that cross stages; every one can be written to a file and read back.

Written as JSON with snake_case keys. ``SCHEMA`` is raised whenever a field changes its meaning.
"""

from __future__ import annotations

from harness.records.base import (
    SCHEMA,
    UNREADABLE,
    CellStatus,
    CheckOutcome,
    Outcome,
    Record,
    Verdict,
    digest_value,
)
from harness.records.judgement import CellVerdict, Claim, ClaimRow, Finding, Judgement, LatencyRow, Run
from harness.records.plan import Cell, Distribution, Expectation, Lock, Plan, PlannedCell, ScenarioPlan
from harness.records.results import CaseResult, CellResult, Observation, Progress, Timing

__all__ = [
    "SCHEMA",
    "UNREADABLE",
    "CaseResult",
    "Cell",
    "CellResult",
    "CellStatus",
    "CellVerdict",
    "CheckOutcome",
    "Claim",
    "ClaimRow",
    "Distribution",
    "Expectation",
    "Finding",
    "Judgement",
    "LatencyRow",
    "Lock",
    "Observation",
    "Outcome",
    "Plan",
    "PlannedCell",
    "Progress",
    "Record",
    "Run",
    "ScenarioPlan",
    "Timing",
    "Verdict",
    "digest_value",
]
