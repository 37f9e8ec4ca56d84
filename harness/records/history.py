"""What is kept of a run, what two runs differ in, and how measured values move over many runs."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.records.gate import Interval, LockChange, QuantityDecision
from harness.records.plan import CellStatus, Outcome, Record, Verdict

# What is kept of a run.

RunKind = Literal["sweep", "gate"]

Bound = Literal["max", "min", "equal", "none"]


class CaseMeasure(Record, frozen=True, kw_only=True):
    """One judged case: its outcome, and what was measured (None: nothing, or a non-finite number).

    ``words`` are what was recorded beside numbers, such as the type and message of an exception, where that
    is what the case is about.
    """

    id: str
    outcome: Outcome
    value: float | None = None
    allowed: float | None = None
    unit: str = ""
    bound: Bound = "none"
    words: str = ""


class LatencyMeasure(Record, frozen=True, kw_only=True):
    """One scenario in one cell, as ``harness.records.LatencyRow`` has it; ``p50`` in seconds.

    ``session`` names the interleaved session, equal where a run took over what an earlier one had measured;
    ``noise`` is the largest A/A deviation of that session, as a factor >= 1, None without an A/A arm.
    """

    cell: str
    scenario: str
    session: str
    p50: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    noise: float | None = None
    rounds: int = 0
    iterations: int = 0


class CellMeasures(Record, frozen=True, kw_only=True):
    """One cell of a run: what was locked, what was there, what was measured.

    ``versions`` are those of the lock, by name, under its ``lock`` digest; ``facts`` what the process said
    of its surroundings beside versions; ``key`` and ``measured_by`` as in ``harness.records.CellResult``
    (empty without a result); ``peak_rss`` in bytes.
    """

    id: str
    axes: dict[str, str]
    python: str
    status: CellStatus
    red: bool
    baseline: bool = False
    lock: str = ""
    key: str = ""
    measured_by: str = ""
    peak_rss: int = 0
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    facts: dict[str, str] = msgspec.field(default_factory=dict)
    cases: tuple[CaseMeasure, ...] = ()


class Snapshot(Record, frozen=True, kw_only=True):
    """Everything of a run that the history keeps, and all that two runs are compared by."""

    run: str
    kind: RunKind
    matrix: str
    title: str
    created: str  # ISO 8601, UTC
    commit: str
    machine: dict[str, str]
    verdict: Verdict
    sentence: str
    subset: bool
    cells: tuple[CellMeasures, ...] = ()
    latency: tuple[LatencyMeasure, ...] = ()
    quantities: tuple[QuantityDecision, ...] = ()

    @property
    def machine_class(self) -> str:
        """Runs of equal classes may be compared in latency; empty where nobody knows."""
        return self.machine.get("class", "")


class PastRun(Record, frozen=True, kw_only=True):
    """One line of the history: ``red_cells`` of ``cells``, and in those the red cases by outcome."""

    run: str
    kind: RunKind
    matrix: str
    created: str
    commit: str
    machine_class: str
    verdict: Verdict
    sentence: str
    subset: bool
    cells: int
    red_cells: int
    red: dict[str, int]
    pinned: bool = False


# What two runs differ in.

DifferenceKind = Literal[
    "new-red",
    "gone-red",
    "outcome-changed",
    "behaviour-changed",
    "value-moved",
    "allowed-changed",
    "check-appeared",
    "check-vanished",
    "cell-appeared",
    "cell-vanished",
    "status-changed",
    "verdict-changed",
    "lock-changed",
    "surroundings-changed",
    "latency-changed",
    "quantity-changed",
]


class Difference(Record, frozen=True, kw_only=True):
    """One thing that is not as it was.

    ``cell`` is empty for the run as a whole. ``what`` is the id of a case, scenario or quantity, empty for
    the cell as a whole; ``before`` and
    ``after`` are said in words; ``ratio`` is after over before where that can be said. ``worse`` makes a
    comparison fail. ``causes`` are the likely ones, the likeliest first; ``changes`` those of the lock that
    they rest on (of a ``lock-changed``: all).
    """

    kind: DifferenceKind
    cell: str
    what: str = ""
    before: str = ""
    after: str = ""
    worse: bool = False
    ratio: float | None = None
    beyond: float | None = None  # the factor that noise alone explains
    causes: tuple[str, ...] = ()
    changes: tuple[LockChange, ...] = ()


class Comparison(Record, frozen=True, kw_only=True):
    """What two runs differ in; counts say how much was compared, so that silence can be told from nothing.

    ``latency`` counts compared pairs of one scenario in one cell; 0 across machine classes. ``notes`` tell a
    person what was not compared, and why.
    """

    before: PastRun
    after: PastRun
    same_class: bool
    cells: int
    cases: int
    latency: int
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def worse(self) -> tuple[Difference, ...]:
        """What makes the comparison fail."""
        return tuple(each for each in self.differences if each.worse)


# How what was measured moved from run to run.

TrendKind = Literal["steady", "stepped", "crept", "unclear"]
"""What a scenario did since the reference: nothing beyond noise, one step, or many small ones.

``unclear``: it is not where it was, but nothing says how it came there; or there are too few runs since.
"""


class TrendPoint(Record, frozen=True, kw_only=True, gc=False):
    """One run in a trend: ``value`` is a ratio (see ``Trend``), ``noise`` the A/A factor of its session.

    There are many, of texts and numbers only: nothing for the garbage collector.
    """

    run: str
    created: str
    commit: str
    value: float
    noise: float


class ChangePoint(Record, frozen=True, kw_only=True):
    """Between runs ``last`` and ``first`` the level (median) went from ``before`` to ``after``."""

    last: str
    first: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """After over before."""
        return self.after / self.before


class Trend(Record, frozen=True, kw_only=True):
    """One scenario in one cell over the runs of one machine class, the oldest first.

    A value is the ratio to the baseline; of the baseline itself (``baseline``) the p50 over that of the
    first run, less what all its scenarios have in common: the machine's doing. ``since`` is the level of
    the newest runs over that of the reference, ``beyond`` the factor that noise explains; ``a_run`` how much
    a run adds since the reference, told of series that moved by more (Theil-Sen on the log scale, as a
    ratio, with its interval at a confidence of 99% over all series of a matrix).
    """

    cell: str
    scenario: str
    baseline: bool
    kind: TrendKind
    points: tuple[TrendPoint, ...]
    changes: tuple[ChangePoint, ...] = ()
    since: float | None = None
    beyond: float | None = None
    a_run: Interval | None = None


class Trends(Record, frozen=True, kw_only=True):
    """All trends of a matrix on one machine class.

    ``reference`` is the newest pinned run, or the first of all; ``notes`` tell what could not be said.
    """

    matrix: str
    machine_class: str
    runs: int
    reference: str
    pinned: bool
    trends: tuple[Trend, ...]
    notes: tuple[str, ...] = ()


class Earlier(Record, frozen=True, kw_only=True):
    """For the page of a run; what its history cannot tell is None.

    ``since`` compares it with the run before it on the same class of machine; ``trends`` end with it.
    """

    since: Comparison | None = None
    trends: Trends | None = None
