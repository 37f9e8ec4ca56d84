"""Samples of changes, trials and causes."""

from __future__ import annotations

from typing import Any

from harness.gate.cause.sentence import FoundCause
from harness.records import LockChange, Trial, TrialOutcome

NUMPY = LockChange(name="numpy", kind="changed", asked=True, before="1", after="2")
HUB = LockChange(name="hub", kind="added", asked=False, after="3")
OLD = LockChange(name="old", kind="removed", asked=False, before="4")


def trial(
    outcome: TrialOutcome, *applied: str, moved: tuple[LockChange, ...] = (), because: str = ""
) -> Trial:
    return Trial(applied=applied, moved=moved, outcome=outcome, because=because)


def make_found(changes: tuple[LockChange, ...], **other: Any) -> FoundCause:
    values: dict[str, Any] = {
        "dragged": (),
        "explained": ("a",),
        "alone": trial("red"),
        "without": trial("green"),
        "releases": (),
    }
    return FoundCause(changes=changes, **(values | other))
