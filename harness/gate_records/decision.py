"""What a gate says, and the whole gate as it is written."""

from __future__ import annotations

from typing import Literal

from harness.gate_records.culprit import Culprit
from harness.gate_records.question import Question
from harness.gate_records.speed import Speed
from harness.records import SCHEMA, CellVerdict, Finding, Record, Verdict


class Decision(Record, frozen=True, kw_only=True):
    """What the gate says, and what it rests on as to correctness; findings are those of the candidate.

    ``sentence`` is the gate's own, ``because`` the words of a package, a check or the resolver, if any.
    ``new`` is red in the candidate and not in the baseline: that fails the gate. ``before`` is red in
    both, ``gone`` in the baseline only (its findings). ``known`` is an expected divergence that the baseline
    does not have: it fails the gate too, unless ``accepted``. ``unchecked`` is what ran in the baseline and
    is skipped in the candidate.
    """

    verdict: Verdict
    sentence: str
    because: str = ""
    cells: tuple[CellVerdict, ...] = ()
    new: tuple[Finding, ...] = ()
    before: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    known: tuple[Finding, ...] = ()
    accepted: bool = False
    unchecked: tuple[Finding, ...] = ()


class Gate(Record, frozen=True, kw_only=True):
    """A gate as it is written to ``gate.json``; ``judged`` names what the verdict speaks of."""

    schema: int = SCHEMA
    run: str
    matrix: str
    created: str  # ISO 8601, UTC
    commit: str = ""  # of the repository it ran in, as in its plan
    question: Question
    decision: Decision
    speed: Speed | None = None  # None: latency was not judged
    culprit: Culprit | None = None  # None: nobody was looked for
    judged: tuple[Literal["correctness", "latency", "memory"], ...] = ("correctness",)
