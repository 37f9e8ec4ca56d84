"""The records of a gate: its two environments, latency and memory, the cause, and the decision."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.records.judgement import CellVerdict, Finding
from harness.records.plan import SCHEMA, Record, Verdict

# What a gate is asked: two environments, and what lies between them.

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


class FurtherChanges(Record, frozen=True, kw_only=True):
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
    further: FurtherChanges | None = msgspec.field(
        default=None, name="way_out"
    )  # upgrades that give a solution


# Latency and memory: what is measured, and what is said of each quantity.


class Quantity(Record, frozen=True, kw_only=True):
    """One thing that the gate measures in both environments, and how much of a rise it lets pass.

    ``group`` tells which lean process measures it; ``unit`` is ``s`` (seconds a call, see ``Block``) or ``B``
    (peak resident memory of the process). ``threshold`` is a ratio, above 1.
    """

    id: str
    group: Literal["normalizer", "embedding"]
    unit: Literal["s", "B"]
    threshold: float


class Block(Record, frozen=True, kw_only=True):
    """One fresh process an arm, measured in turns in the same slices of time: quantity -> value, per arm.

    A latency of the baseline is the median of its rounds; of another arm it is that times how much longer it
    took in rounds that ran beside each other (see ``run.probing.effects``). A machine that is slow for a
    second falls into both, but moves the medians of the arms by their own luck: identical processes, the root
    mean square of the log of the ratio of medians against that of the median of ratios, 41 blocks: 0.062 and
    0.018 for one float32 row, 0.057 and 0.010 for 32 float16 rows, 0.031 and 0.019 for 4096 float32 rows.

    ``slots`` are the arms in the order in which their processes were started; it changes from block to block.
    ``seconds`` is what the block took, starting and ending of the processes included.
    """

    group: Literal["normalizer", "embedding"]
    number: int
    slots: tuple[str, ...]
    baseline: dict[str, float]
    again: dict[str, float]
    candidate: dict[str, float]
    seconds: float = 0.0


class InvalidBlock(Record, frozen=True, kw_only=True):
    """A block of which nothing can be used: the values of its other processes are thrown away with it.

    ``arms`` are those that ended badly or could not measure, ``void`` is why. ``scenario`` is what could not
    be measured; empty where a process went wrong as a whole.
    """

    group: Literal["normalizer", "embedding"]
    number: int
    slots: tuple[str, ...]
    arms: tuple[str, ...]
    void: str
    scenario: str = ""
    seconds: float = 0.0


class Interval(Record, frozen=True, kw_only=True):
    """A ratio (1 is equal) with its confidence interval."""

    low: float
    ratio: float
    high: float


QuantityOutcome = Literal["passed", "regressed", "undecided", "control-failed", "unmeasured"]
"""``control-failed``: the A/A arm differs from itself, so nothing can be said of the candidate."""


class QuantityDecision(Record, frozen=True, kw_only=True):
    """What is said of one quantity, and what it rests on.

    ``baseline`` and ``candidate`` are medians over the processes, in the unit of the quantity. ``change``
    is the candidate over the geometric mean of the baseline and its A/A arm, ``control`` the A/A arm over the
    baseline, both paired process by process, with intervals of simultaneous ``confidence`` (over all
    quantities and all looks). ``blocks`` counts the processes an arm that were compared; ``left_out`` of them
    were not in the change, for there the baseline disagreed with itself.
    """

    quantity: Quantity
    outcome: QuantityOutcome
    baseline: float | None = None
    candidate: float | None = None
    change: Interval | None = None
    control: Interval | None = None
    blocks: int = 0
    left_out: int = 0
    because: str = ""  # why nothing could be measured


class Speed(Record, frozen=True, kw_only=True):
    """Latency and memory as the gate judged them; ``spent`` and ``budget`` in seconds.

    ``void`` are the blocks that could not be used. Too many of them leave quantities unmeasured: what is
    thrown away may well be what is slow.
    """

    quantities: tuple[QuantityDecision, ...]
    confidence: float
    spent: float
    budget: float
    looks: int = 0
    void: tuple[InvalidBlock, ...] = ()


# Who is to blame: trials of parts of the lock diff, and what they came to.

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
