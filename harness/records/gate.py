"""The records of a gate: its two environments, latency and memory, the cause, and the decision."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.records.judgement import CellVerdict, Finding
from harness.records.plan import SCHEMA, Record, Service, Verdict

# The question of a gate: two environments and their difference

BASELINE = "baseline"
"""The id of the cell with the current environment."""

CANDIDATE = "candidate"
"""The id of the cell with the environment after the upgrade."""

AGAIN = "again"
"""The A/A arm of the latency decision: a second process of the baseline."""

ChangeKind = Literal["added", "removed", "changed"]


class LockChange(Record, frozen=True, kw_only=True):
    """One distribution that the upgrade changes; ``asked`` is true for a direct change.

    ``pinned``: a direct change only because the file of the candidate pins a package that is not under test.
    Versions are exact; ``before`` is empty if it is added, ``after`` if it is removed. Equal versions mean
    another file of the same release.
    """

    name: str
    kind: ChangeKind
    asked: bool
    pinned: bool = False
    before: str = ""
    after: str = ""


class LockDiff(Record, frozen=True, kw_only=True):
    """The changes of the whole resolved set, sorted by name, direct ones first."""

    changes: tuple[LockChange, ...] = ()
    unchanged: int = 0


class LeftOut(Record, frozen=True, kw_only=True):
    """A package of a file that is excluded from the comparison, and the reason."""

    file: str
    name: str
    reason: str


class FurtherChange(Record, frozen=True, kw_only=True):
    """A further upgrade: the requirement that prevents it, the lowest version that works, and the newest."""

    name: str
    held: str
    lowest: str
    newest: str


class FurtherChanges(Record, frozen=True, kw_only=True):
    """Further upgrades that give a candidate without a solution one.

    ``changes`` is empty if there are none; ``smallest`` is true if no smaller set is enough; ``calls`` counts
    the resolver calls.
    """

    changes: tuple[FurtherChange, ...] = ()
    smallest: bool = False
    calls: int = 0


class Acknowledgement(Record, frozen=True, kw_only=True):
    """A line ``harness: accept QUESTION SUBJECT because REASON`` in a pull request that counts.

    ``subject`` is a package, a quantity of latency or memory, a check or a case.
    """

    question: str
    subject: str
    reason: str
    author: str
    link: str = ""


class Disregarded(Record, frozen=True, kw_only=True):
    """A line that looks like an acknowledgement and does not count; empty if the lines were not read."""

    line: str
    why: str
    author: str = ""
    link: str = ""


class Acknowledgements(Record, frozen=True, kw_only=True):
    """The acknowledgements of a pull request, as ``harness acknowledged`` writes them."""

    schema: int = SCHEMA
    counted: tuple[Acknowledgement, ...] = ()
    disregarded: tuple[Disregarded, ...] = ()


class Question(Record, frozen=True, kw_only=True):
    """The question of a gate: two environments, their difference, and the command that repeats it.

    ``baseline`` and ``candidate`` name the origins of the environments, ``notes`` what the user should know
    about them. ``command`` comes before the ``arguments``: through nox in a checkout of the harness.
    ``acknowledgements`` are those of the pull request when the gate began. ``isolation`` is that of its plan.
    """

    baseline: str
    candidate: str
    arguments: tuple[str, ...]
    command: str = "harness gate"
    service: Service | None = None
    diff: LockDiff = LockDiff()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    further: FurtherChanges | None = msgspec.field(
        default=None, name="way_out"
    )  # upgrades that give a solution
    acknowledgements: Acknowledgements = Acknowledgements()
    isolation: str = ""


# Latency and memory: quantities, blocks, decisions


class Quantity(Record, frozen=True, kw_only=True):
    """A quantity that the gate measures in both environments, and its threshold.

    ``group`` is the kind of probe process that measures it; ``unit`` is ``s`` (seconds per call, see
    ``Block``) or ``B`` (peak resident memory of the process). ``threshold`` is a ratio above 1.
    """

    id: str
    group: Literal["normalizer", "embedding"]
    unit: Literal["s", "B"]
    threshold: float


class Block(Record, frozen=True, kw_only=True):
    """One fresh process per arm, measured in turns: quantity -> value, for each arm.

    A latency of the baseline is the median of its rounds. That of another arm is this median times the ratio
    of rounds that ran at about the same time (see ``harness.gate.blocks.compare_rounds``). A momentary
    slowdown of the machine cancels in these ratios, but not in the medians of the arms. Root mean square of
    the log ratio of medians, and of the median log ratio, of identical processes (41 blocks): 0.062 and 0.018
    for one float32 row, 0.057 and 0.010 for 32 float16 rows, 0.031 and 0.019 for 4096 float32 rows.

    ``slots`` are the arms in the order of their starts, which changes from block to block. ``seconds`` is the
    duration of the block, including starts and ends of the processes.
    """

    group: Literal["normalizer", "embedding"]
    number: int
    slots: tuple[str, ...]
    baseline: dict[str, float]
    again: dict[str, float]
    candidate: dict[str, float]
    seconds: float = 0.0


class InvalidBlock(Record, frozen=True, kw_only=True):
    """A block that is excluded from the decision, with the values of all its processes.

    ``arms`` are those that failed, ``void`` is the reason. ``scenario`` is the scenario that could not be
    measured; empty if a process failed as a whole.
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
"""``control-failed``: the A/A arms differ, so the candidate cannot be judged."""


class QuantityDecision(Record, frozen=True, kw_only=True):
    """The decision on one quantity, and its evidence.

    ``baseline`` and ``candidate`` are medians over the processes, in the unit of the quantity. ``change`` is
    the candidate over the geometric mean of the baseline and its A/A arm, ``control`` the A/A arm over the
    baseline, both paired by block. Their intervals have joint ``confidence`` over all quantities and interim
    analyses. ``blocks`` counts the compared processes per arm; ``left_out`` of them are excluded from the
    change, because the A/A ratio of their block is an outlier.
    """

    quantity: Quantity
    outcome: QuantityOutcome
    baseline: float | None = None
    candidate: float | None = None
    change: Interval | None = None
    control: Interval | None = None
    blocks: int = 0
    left_out: int = 0
    because: str = ""  # why the quantity is unmeasured


class Speed(Record, frozen=True, kw_only=True):
    """The decisions on latency and memory; ``spent`` and ``budget`` are in seconds.

    ``looks`` counts the interim analyses. ``void`` are the invalid blocks; too many of them leave quantities
    unmeasured, because the excluded blocks may be the slow ones.
    """

    quantities: tuple[QuantityDecision, ...]
    confidence: float
    spent: float
    budget: float
    looks: int = 0
    void: tuple[InvalidBlock, ...] = ()


# The cause: trials of parts of the lock diff, and their results

CULPRIT_SECONDS = 1200.0
"""Default time limit of the search for the cause, in seconds."""

TrialOutcome = Literal["red", "green", "unresolved"]
"""``unresolved``: no solution, no environment, or another failure that hides the symptoms."""


class Trial(Record, frozen=True, kw_only=True):
    """A trial of the baseline with a part of the lock diff (``applied``, by name).

    ``moved`` are all changes of its lock, ``applied`` included.
    """

    applied: tuple[str, ...]
    moved: tuple[LockChange, ...] = ()
    outcome: TrialOutcome
    because: str = ""


class ReleaseTrial(Record, frozen=True, kw_only=True):
    """A trial of one release between those of the baseline and the candidate."""

    version: str
    outcome: TrialOutcome
    because: str = ""


class ReleaseSearch(Record, frozen=True, kw_only=True):
    """The bisection over the releases of one distribution, ``tried`` in order.

    Between ``last_good`` and ``first_bad`` are only ``skipped`` releases, which have no result, and those
    that were not listed, between the two in ``unlisted``.
    """

    name: str
    last_good: str
    first_bad: str
    skipped: tuple[str, ...] = ()
    unlisted: tuple[str, str] | None = None
    releases: int = 0  # listed releases from that of the baseline to that of the candidate, both included
    tried: tuple[ReleaseTrial, ...] = ()


class Culprit(Record, frozen=True, kw_only=True):
    """The cause: the smallest part of the lock diff that fails; two or more ``changes`` are an interaction.

    ``looked_for`` are the cases and quantities that it explains; ``dragged`` are transitive changes.
    ``alone`` is the outcome of this part alone, ``without`` that of all other changes. Without ``changes``
    no cause was found, and ``sentence`` has the reason. Where the search was ``cut_off``, the cause is one of
    the changes, or several. ``further`` are independent causes, each of failures that those before it do not
    explain; the sentence of the first covers all.
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
    cut_off: bool = False


class NoteChange(Record, frozen=True, kw_only=True):
    """A recorded behaviour, such as that of a library, that differs between the two environments.

    ``check`` is the first of ``cases`` that have the same exception.
    """

    check: str
    baseline: str
    candidate: str
    cases: int = 1


ConfirmationOutcome = Literal["confirmed", "flaky", "unconfirmed"]
"""``flaky``: a repeat contradicts the first runs; ``unconfirmed``: none does, but one has no result."""


class Confirmation(Record, frozen=True, kw_only=True):
    """How often a newly red case was red: in its first run, and in fresh processes of both environments.

    ``case`` is ``cell`` for a candidate that died. ``candidate`` and ``baseline`` count the red runs,
    ``runs`` and ``baseline_runs`` all with a result, the first included. ``because`` is why one has none.
    """

    case: str
    outcome: ConfirmationOutcome
    candidate: int
    runs: int
    baseline: int
    baseline_runs: int
    because: str = ""


class Acknowledged(Record, frozen=True, kw_only=True):
    """What an acknowledgement accepts: findings, and ids of regressed quantities; else why nothing."""

    acknowledgement: Acknowledgement
    findings: tuple[Finding, ...] = ()
    quantities: tuple[str, ...] = ()
    unmatched: str = ""


class Decision(Record, frozen=True, kw_only=True):
    """The decision of a gate, with the findings of the candidate on correctness.

    ``sentence`` is by the gate, ``because`` a message of a package, a check or the resolver, if any. ``new``
    findings are red in the candidate only and fail the gate. ``before`` are red in both, ``gone`` in the
    baseline only (its findings). ``known`` are expected divergences that only the candidate has; they fail
    the gate too, unless ``accepted``. ``unchecked`` cases ran in the baseline and are skipped in the
    candidate. ``notes`` are recorded behaviours that differ, ``limits`` those of the candidate.
    ``confirmations`` are those of new and known findings, one each; ``unconfirmed`` are the findings that are
    neither ``new`` nor ``known``, because they are flaky or were not run again. ``acknowledged`` are findings
    that people accepted in the pull request, which are neither ``new`` nor ``known`` any more.
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
    notes: tuple[NoteChange, ...] = ()
    limits: tuple[Finding, ...] = ()
    confirmations: tuple[Confirmation, ...] = ()
    unconfirmed: tuple[Finding, ...] = ()
    acknowledged: tuple[Acknowledged, ...] = ()


class Gate(Record, frozen=True, kw_only=True):
    """A gate as written to ``gate.json``; ``judged`` names what the verdict covers.

    ``repeats`` is the number of times that a newly red case is run again; gates of earlier versions have 0.
    """

    schema: int = SCHEMA
    run: str
    matrix: str
    created: str  # ISO 8601, UTC
    commit: str = ""  # of the repository it ran in, as in its plan
    question: Question
    decision: Decision
    speed: Speed | None = None  # None: latency was not judged
    culprit: Culprit | None = None  # None: the cause was not searched
    repeats: int = 0
    judged: tuple[Literal["correctness", "latency", "memory"], ...] = ("correctness",)
