"""What a gate is asked: two environments, and what lies between them."""

from __future__ import annotations

from typing import Literal

from harness.records import Record

BASELINE = "baseline"
"""The id of the cell that is there now."""

CANDIDATE = "candidate"
"""The id of the cell that would be there after the upgrade."""

AGAIN = "again"
"""The A/A arm of the latency decision: a second process of the baseline."""

ChangeKind = Literal["added", "removed", "changed"]


class LockChange(Record, frozen=True, kw_only=True):
    """One distribution that the upgrade moves; ``asked`` tells what was asked for from what comes along.

    ``pinned``: asked for only by the file that is the candidate, as a package that others need. Versions
    are exact; ``before`` is empty for an added one, ``after`` for a removed one. Equal versions are
    another file of the same release.
    """

    name: str
    kind: ChangeKind
    asked: bool
    pinned: bool = False
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
    ``command`` is what is typed before the ``arguments``: by nox in a checkout of the harness, else without.
    """

    baseline: str
    candidate: str
    arguments: tuple[str, ...]
    command: str = "harness gate"
    diff: LockDiff = LockDiff()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    way_out: WayOut | None = None
