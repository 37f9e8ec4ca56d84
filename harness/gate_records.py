"""The frozen records of the gate: what is compared, what it changes, and what is said of that."""

from __future__ import annotations

from typing import Literal

from harness.records import SCHEMA, CellVerdict, Finding, Record, Verdict

BASELINE = "baseline"
"""The id of the cell that is there now."""

CANDIDATE = "candidate"
"""The id of the cell that would be there after the upgrade."""

ChangeKind = Literal["added", "removed", "changed"]


class LockChange(Record, frozen=True, kw_only=True):
    """One distribution that the upgrade moves; ``asked`` tells what was asked for from what comes along.

    Versions are exact; ``before`` is empty for an added one, ``after`` for a removed one. Equal versions are
    another file of the same release.
    """

    name: str
    kind: ChangeKind
    asked: bool
    before: str = ""
    after: str = ""


class LockDiff(Record, frozen=True, kw_only=True):
    """What the upgrade changes in the whole resolved set, sorted by name, those asked for first."""

    changes: tuple[LockChange, ...] = ()
    unchanged: int = 0


class LeftOut(Record, frozen=True, kw_only=True):
    """A package of a file that is not part of the comparison, and why."""

    file: str
    name: str
    reason: str


class FurtherChange(Record, frozen=True, kw_only=True):
    """A version that would have to move too: what holds it now, the lowest that works and the newest one."""

    name: str
    held: str
    lowest: str
    newest: str


class WayOut(Record, frozen=True, kw_only=True):
    """What the resolver was asked after it had found no solution.

    ``changes`` is a set of further changes with which there is one, empty where none was found; ``smallest``
    says that no smaller set does; ``calls`` is how often the resolver was asked.
    """

    changes: tuple[FurtherChange, ...] = ()
    smallest: bool = False
    calls: int = 0


class Question(Record, frozen=True, kw_only=True):
    """What the gate is asked: two environments, what lies between them, and how to ask again.

    ``baseline`` and ``candidate`` say where they come from; ``notes`` what a person has to know about that.
    """

    baseline: str
    candidate: str
    arguments: tuple[str, ...]
    diff: LockDiff = LockDiff()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    way_out: WayOut | None = None


class Decision(Record, frozen=True, kw_only=True):
    """What the gate says of correctness, and what it rests on; findings are those of the candidate.

    ``sentence`` is the gate's own, ``because`` the words of a package, a check or the resolver, if any.
    ``new`` is red in the candidate and not in the baseline: only that fails the gate. ``before`` is red in
    both, ``gone`` in the baseline only (its findings). ``known`` is an expected divergence that the baseline
    does not have, ``unchecked`` what ran in the baseline and is skipped in the candidate.
    """

    verdict: Verdict
    sentence: str
    because: str = ""
    cells: tuple[CellVerdict, ...] = ()
    new: tuple[Finding, ...] = ()
    before: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    known: tuple[Finding, ...] = ()
    unchecked: tuple[Finding, ...] = ()


class Gate(Record, frozen=True, kw_only=True):
    """A gate as it is written to ``gate.json``; ``judged`` names what the verdict speaks of."""

    schema: int = SCHEMA
    run: str
    matrix: str
    created: str  # ISO 8601, UTC
    question: Question
    decision: Decision
    judged: tuple[Literal["correctness"], ...] = ("correctness",)
