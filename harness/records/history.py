"""The records of the history: snapshots of runs, comparisons of two runs, and trends."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.records.gate import Interval, LockChange, QuantityDecision
from harness.records.plan import CellStatus, Outcome, Record, Verdict

# Snapshots

RunKind = Literal["sweep", "gate"]

Bound = Literal["max", "min", "equal", "none"]


class CaseMeasure(Record, frozen=True, kw_only=True, gc=False):
    """One judged case: its outcome and measured value (None: not measured, or not finite).

    ``words`` are recorded texts such as the type and message of an exception; empty for cases that measure a
    number.
    """

    id: str
    outcome: Outcome
    value: float | None = None
    allowed: float | None = None
    unit: str = ""
    bound: Bound = "none"
    words: str = ""


class LatencyMeasure(Record, frozen=True, kw_only=True, gc=False):
    """One scenario in one cell, as in ``harness.records.LatencyRow``; ``p50`` in seconds.

    ``session`` names the interleaved session; it is equal in runs that reuse its result. ``noise`` is the
    largest A/A deviation of that session, as a factor >= 1; None without an A/A arm.
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


class LatencyNames(Record, frozen=True):
    """The names that occur in the latency of a run, each once."""

    cell: tuple[str, ...]
    scenario: tuple[str, ...]
    session: tuple[str, ...]


class LatencyColumns(Record, frozen=True, kw_only=True):
    """The latency of a run (``LatencyMeasure``) as one column for each of its fields, in its order.

    A run of 200 cells has 4,600 rows, a history half a million: columns are read at once. ``cell``,
    ``scenario`` and ``session`` are places in ``names`` (uint32), ``rounds`` and ``iterations`` int64, all
    others float64, NaN for None; little-endian.
    """

    names: LatencyNames
    cell: bytes
    scenario: bytes
    session: bytes
    p50: bytes
    ratio: bytes
    noise: bytes
    low: bytes = b""
    high: bytes = b""
    floor: bytes = b""
    rounds: bytes = b""
    iterations: bytes = b""


class RunLatency(Record, frozen=True, kw_only=True):
    """The latency of a run as trends need it; ``cells`` has those of the run, and which is the baseline."""

    run: str
    created: str
    commit: str
    cells: dict[str, bool]
    columns: LatencyColumns


class CellMeasures(Record, frozen=True, kw_only=True):
    """One cell of a run: its lock, its facts and its measurements.

    ``versions`` are those of the lock, by name; ``lock`` is its digest. ``facts`` are those of the process,
    except versions. ``key`` and ``measured_by`` (the run) are as in ``harness.records.CellResult``, empty
    without a result. ``peak_rss`` is in bytes.
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
    """The part of a run that the history keeps, and by which runs are compared."""

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
        """The class of the machine, empty if unknown; latency is comparable within a class."""
        return self.machine.get("class", "")


class PastRun(Record, frozen=True, kw_only=True):
    """One line of the history: ``red_cells`` of ``cells``, and their red cases by outcome."""

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


# Comparison of two runs

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
    """One difference between two runs.

    ``cell`` is empty for the whole run. ``what`` is the id of a case, scenario or quantity, empty for the
    whole cell. ``before`` and ``after`` are texts; ``ratio`` is after over before, if defined. ``worse``
    makes a comparison fail. ``causes`` are the likely ones, likeliest first; ``changes`` are the lock
    changes behind them (of ``lock-changed``: all).
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
    """The differences of two runs, and how much was compared.

    ``latency`` counts compared pairs of one scenario in one cell; 0 across machine classes. ``notes``
    describe what was not compared, and why.
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
        """The differences that make the comparison fail."""
        return tuple(each for each in self.differences if each.worse)


# Trends

TrendKind = Literal["steady", "stepped", "crept", "unclear"]
"""The change of a scenario since the reference: within noise, a step, or drift (``crept``).

``unclear``: neither a step nor drift explains the change, or there are too few runs since.
"""


class TrendPoint(Record, frozen=True, kw_only=True, gc=False):
    """One run in a trend: ``value`` is a ratio (see ``Trend``), ``noise`` the A/A factor of its session.

    There are many, with texts and numbers only, so the garbage collector need not track them.
    """

    run: str
    created: str
    commit: str
    value: float
    noise: float


class ChangePoint(Record, frozen=True, kw_only=True):
    """A change of the level (median) from ``before`` to ``after``, between runs ``last`` and ``first``."""

    last: str
    first: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """After over before."""
        return self.after / self.before


class Trend(Record, frozen=True, kw_only=True):
    """One scenario in one cell over the runs of one machine class, oldest first.

    A value is the ratio to the baseline. For the baseline itself it is the p50 over that of the first run,
    divided by the median of that over all scenarios (the speed of the machine). ``since`` is the level of the
    newest runs over that of the reference, ``beyond`` the factor explained by noise. ``a_run`` is the slope
    per run since the reference, for series beyond noise (Theil-Sen on the log scale, as a ratio; its interval
    has a confidence of 99% over all series of a matrix). ``points`` are empty for a series that is not shown.
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

    @property
    def is_news(self) -> bool:
        """Whether it is known to have changed; unclear ones are mostly noise, a dozen of 600 steady ones."""
        return self.kind in {"stepped", "crept"}

    @property
    def is_shown(self) -> bool:
        """Whether it is shown among many: it is known to have changed now, or to have stepped once."""
        return self.is_news or bool(self.changes)


class RunLevel(Record, frozen=True, kw_only=True):
    """Quartiles and median of the ratios of all cells but the baseline, for one scenario and run."""

    run: str
    low: float
    median: float
    high: float


class Trends(Record, frozen=True, kw_only=True):
    """All trends of a matrix on one machine class.

    ``reference`` is the newest pinned run, or the first of all; ``notes`` describe what is excluded.
    ``timed`` are the runs that have a point in a trend, oldest first, ``levels`` those of each scenario.
    """

    matrix: str
    machine_class: str
    runs: int
    reference: str
    pinned: bool
    trends: tuple[Trend, ...]
    timed: tuple[str, ...] = ()
    levels: dict[str, tuple[RunLevel, ...]] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Earlier(Record, frozen=True, kw_only=True):
    """The history on the page of a run; parts without data are None.

    ``since`` is the comparison with the run before it on the same class of machine; ``trends`` end with it.
    """

    since: Comparison | None = None
    trends: Trends | None = None
