"""The frozen records of the gate: what is compared, what it changes, and what is said of that."""

from __future__ import annotations

from harness.gate_records.culprit import (
    CULPRIT_SECONDS,
    Culprit,
    ReleaseSearch,
    ReleaseTrial,
    Trial,
    TrialOutcome,
)
from harness.gate_records.decision import Decision, Gate
from harness.gate_records.question import (
    AGAIN,
    BASELINE,
    CANDIDATE,
    ChangeKind,
    FurtherChange,
    LeftOut,
    LockChange,
    LockDiff,
    Question,
    WayOut,
)
from harness.gate_records.speed import (
    Block,
    Interval,
    Quantity,
    QuantityDecision,
    QuantityOutcome,
    Speed,
    VoidBlock,
)

__all__ = [
    "AGAIN",
    "BASELINE",
    "CANDIDATE",
    "CULPRIT_SECONDS",
    "Block",
    "ChangeKind",
    "Culprit",
    "Decision",
    "FurtherChange",
    "Gate",
    "Interval",
    "LeftOut",
    "LockChange",
    "LockDiff",
    "Quantity",
    "QuantityDecision",
    "QuantityOutcome",
    "Question",
    "ReleaseSearch",
    "ReleaseTrial",
    "Speed",
    "Trial",
    "TrialOutcome",
    "VoidBlock",
    "WayOut",
]
