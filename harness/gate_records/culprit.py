"""Who is to blame: trials of parts of the lock diff, and what they came to."""

from __future__ import annotations

from typing import Literal

from harness.gate_records.question import LockChange
from harness.records import Record

CULPRIT_SECONDS = 1200.0
"""What the search for a culprit may take unless somebody says so."""

TrialOutcome = Literal["red", "green", "unresolved"]
"""``unresolved``: no solution, no environment, or an end that says nothing about what is looked for."""


class Trial(Record, frozen=True, kw_only=True):
    """The baseline with a part of the lock diff (``applied``, by name), and whether what failed fails.

    ``moved`` is what the resolver had to move for it, ``applied`` included.
    """

    applied: tuple[str, ...]
    moved: tuple[LockChange, ...] = ()
    outcome: TrialOutcome
    because: str = ""


class ReleaseTrial(Record, frozen=True, kw_only=True):
    """One release between the baseline's and the candidate's."""

    version: str
    outcome: TrialOutcome
    because: str = ""


class ReleaseSearch(Record, frozen=True, kw_only=True):
    """The bisection over the releases of one distribution, ``tried`` in the order in which they were.

    ``last_good`` and ``first_bad`` are neighbours but for ``skipped`` releases, of which nothing is known,
    and for what is ``unlisted``: between these two there are more releases, which were not looked up.
    """

    name: str
    last_good: str
    first_bad: str
    skipped: tuple[str, ...] = ()
    unlisted: tuple[str, str] | None = None
    releases: int = (
        0  # how many there are from the baseline's to the candidate's, both included, if all listed
    )
    tried: tuple[ReleaseTrial, ...] = ()


class Culprit(Record, frozen=True, kw_only=True):
    """The smallest part of the lock diff that does it; two or more ``changes`` are an interaction.

    ``looked_for`` are the cases and quantities that failed; ``dragged`` is what had to move along. ``alone``
    is the outcome of this part alone, ``without`` that of everything but it. Without ``changes`` none was
    found, and ``sentence`` says why. ``further`` are independent ones: each explains what those before it
    do not, and the sentence of the first speaks of all.
    """

    sentence: str
    looked_for: tuple[str, ...] = ()
    changes: tuple[LockChange, ...] = ()
    dragged: tuple[LockChange, ...] = ()
    alone: TrialOutcome | None = None
    without: TrialOutcome | None = None
    releases: tuple[ReleaseSearch, ...] = ()
    trials: tuple[Trial, ...] = ()
    further: tuple[Culprit, ...] = ()
