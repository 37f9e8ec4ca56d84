"""The frozen records that cross stages; every one can be written to a file and read back.

Written as JSON with snake_case keys. ``SCHEMA`` is raised whenever a field changes its meaning.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 1

CheckOutcome = Literal["pass", "fail", "error", "skip"]
"""What a check says inside its cell; expectations are applied later, by the judge."""

Outcome = Literal["pass", "fail", "error", "skip", "xfail", "xpass", "missing"]
"""What the judge says of a check. Red: fail, error, xpass, missing."""

CellStatus = Literal[
    "ok", "failed", "unsatisfiable", "install-error", "import-error", "crashed", "timed-out", "missing"
]
"""What became of a cell as a whole; ``missing`` is a planned cell without a result."""

Verdict = Literal["pass", "regressed", "inconclusive", "unsatisfiable", "error"]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen value that crosses a stage."""


# --- plan ---------------------------------------------------------------------------------


class Cell(Record, frozen=True, kw_only=True):
    """One combination of versions.

    ``axes`` holds what tells this cell from the others (axis -> version, ``python`` among them when it is
    swept); ``requirements`` every version specifier asked for (PEP 508, sorted: axes, pins, suite, subject).
    """

    id: str
    axes: dict[str, str]
    requirements: tuple[str, ...]
    python: str
    source: tuple[str, ...] = ()  # distributions that exist as sdist only and may be built
    baseline: bool = False


class Distribution(Record, frozen=True, kw_only=True):
    """One locked distribution: normalized name, exact version, sha256 of the files that may be installed."""

    name: str
    version: str
    sha256: tuple[str, ...]


class Lock(Record, frozen=True, kw_only=True):
    """The complete resolved set of a cell, or the resolver's reason why there is none.

    ``origin`` is ``committed`` (read from ``matrices/locks``) or ``resolved`` (just now, on the fly);
    ``digest`` is the sha256 of the canonical text of platform, python and distributions: equal digests are
    equal environments. Exactly one of ``distributions`` and ``reason`` is non-empty.
    """

    cell: str
    platform: str
    python: str
    inputs: str  # sha256 of what was asked for; tells a stale lock
    origin: Literal["committed", "resolved"]
    digest: str
    distributions: tuple[Distribution, ...] = ()
    reason: str = ""


class ScenarioPlan(Record, frozen=True, kw_only=True):
    """One latency scenario: ``rounds`` timed rounds a cell, each lasting about ``target_seconds``.

    A call that takes longer gets fewer rounds: about ``budget_seconds`` a cell in all, but at least five.
    """

    id: str
    rounds: int
    target_seconds: float
    budget_seconds: float = 1.0


class Expectation(Record, frozen=True, kw_only=True, rename="kebab"):
    """A known divergence; strict: a check that passes all the same, or no match at all, is red.

    ``check`` is a glob over case ids, or ``status`` names the status of the whole cell; ``where`` maps a
    distribution (or ``python``) to a version specifier that the cell's lock must satisfy.
    """

    reason: str
    check: str | None = None
    status: CellStatus | None = None
    where: dict[str, str] = {}
    matrix: tuple[str, ...] = ()  # names of the matrices it belongs to; empty: all
    link: str = ""


class PlannedCell(Record, frozen=True, kw_only=True):
    """A cell with its lock and the cases that it owes; ``same_as`` names the cell whose run it shares."""

    cell: Cell
    lock: Lock
    cases: tuple[str, ...]
    same_as: str | None = None


class Plan(Record, frozen=True, kw_only=True):
    """Everything that a run promises before it starts; the judge walks it, so that nothing can vanish."""

    schema: int = SCHEMA
    run: str
    matrix: str
    matrix_path: str
    title: str
    created: str  # ISO 8601, UTC
    machine: dict[str, str]
    baseline: str | None
    cells: tuple[PlannedCell, ...]
    scenarios: tuple[ScenarioPlan, ...]
    expectations: tuple[Expectation, ...]
    borrowed: tuple[Expectation, ...] = ()  # shipped ones over somebody's own matrix: may match nothing
    command: str = "nox -s compat --"  # what a person types to run this matrix again
    commit: str = ""  # of the repository it ran in, "+changes" behind it where files differed; empty: none
    subset: bool = False  # --only/--skip left cells out
    baseline_cell: PlannedCell | None = None  # the baseline, where the selection leaves it out


# --- what a cell says ----------------------------------------------------------------------


class Observation(Record, frozen=True, kw_only=True):
    """What a check measured.

    ``value`` in ``unit``; ``bound`` says how ``allowed`` binds it (``max``: value <= allowed, ``min``: value
    >= allowed, ``equal``, or ``none`` for something only recorded). A ``value`` of None is a measured
    non-finite number and never passes. ``worst`` is the index of the worst element, ``share`` the share of
    elements beyond ``allowed``, ``control`` the same measure for a really different model, ``blame`` who is
    wrong by the oracle (``subject``, ``reference``, ``both``, ``neither``).
    """

    value: float | None
    unit: str
    bound: Literal["max", "min", "equal", "none"] = "none"
    allowed: float | None = None
    worst: tuple[int, ...] = ()
    share: float | None = None
    sample: str = ""
    control: float | None = None
    blame: Literal["", "subject", "reference", "both", "neither"] = ""
    facts: dict[str, str | float | int | bool | None] = {}


class CaseResult(Record, frozen=True, kw_only=True):
    """One check with its parameters, run in one cell; a pass or a fail carries an observation."""

    id: str
    outcome: CheckOutcome
    message: str = ""  # why it failed or was skipped; empty for a pass
    seconds: float = 0.0
    observation: Observation | None = None


class Timing(Record, frozen=True, kw_only=True):
    """The rounds of one scenario in one process: seconds per call, in the order of the rounds.

    ``baseline`` and ``control`` (the A/A arm: a second process of the baseline) hold the rounds that the
    two measured in the same slices of time; ``session`` names the interleaved session.
    """

    scenario: str
    session: str
    iterations: int
    rounds: tuple[float, ...]
    baseline: tuple[float, ...] = ()
    control: tuple[float, ...] = ()


class CellResult(Record, frozen=True, kw_only=True):
    """What one cell left behind, whatever became of it."""

    schema: int = SCHEMA
    cell: str
    key: str  # lock, suite, subject, model, machine, settings: equal keys need no second run
    run: str  # the run that measured it
    status: CellStatus
    reason: str = ""  # one sentence; empty when ok
    log_tail: tuple[str, ...] = ()
    facts: dict[str, str] = {}  # versions, BLAS, threads, CPU flags, precision: what really is in the process
    cases: tuple[CaseResult, ...] = ()
    timings: tuple[Timing, ...] = ()
    untimed: dict[str, str] = {}  # scenario -> why there is no timing
    seconds: dict[str, float] = {}  # stage -> wall seconds: environment, imports, contract, latency
    peak_rss: int = 0  # bytes


class Progress(Record, frozen=True, kw_only=True):
    """Where a cell is right now, for the board; ``stage`` is a CellStatus or what it does at the moment."""

    cell: str
    stage: str
    done: int = 0
    total: int = 0
    note: str = ""


# --- what the judge says -------------------------------------------------------------------


class Finding(Record, frozen=True, kw_only=True):
    """The judged outcome of one case in one cell."""

    cell: str
    check: str
    layer: str
    outcome: Outcome
    message: str = ""
    advice: str = ""
    expectation: str = ""  # the reason of the expectation that applied
    observation: Observation | None = None


class CellVerdict(Record, frozen=True, kw_only=True):
    """One row of the final table: the status of a cell, its layers, and why it is red.

    ``divergent`` counts the expected divergences that the baseline does not have: such a cell is ``ok``, and
    yet no upgrade to make blindly.
    """

    cell: str
    status: CellStatus
    red: bool
    expected: str = ""  # the reason of the expectation that covers its status
    reason: str = ""
    advice: str = ""
    reused: bool = False
    divergent: int = 0
    layers: dict[str, dict[str, int]] = {}  # layer -> outcome -> count


class ClaimRow(Record, frozen=True, kw_only=True):
    """A documented claim in one cell: whether it holds, and the numbers that say so."""

    claim: str
    cell: str
    holds: bool | None  # None: could not be measured
    measured: str


class Claim(Record, frozen=True, kw_only=True):
    """A documented claim, judged in every cell."""

    id: str
    text: str
    rows: tuple[ClaimRow, ...]


class LatencyRow(Record, frozen=True, kw_only=True):
    """One scenario in one cell: p50 in seconds, ratio to the baseline and the noise floor of the session.

    ``ratio`` is exp(median of the paired log ratios) with its spread ``low``..``high`` (quartiles over the
    rounds); ``floor`` the same measure of the A/A arm, as a factor >= 1.
    """

    cell: str
    scenario: str
    p50: float
    ratio: float | None
    low: float | None
    high: float | None
    floor: float | None
    rounds: int
    iterations: int


class Judgement(Record, frozen=True, kw_only=True):
    """A judged run: the verdict and everything that it rests on."""

    schema: int = SCHEMA
    verdict: Verdict
    sentence: str
    cells: tuple[CellVerdict, ...]
    findings: tuple[Finding, ...]
    stale_expectations: tuple[str, ...]
    claims: tuple[Claim, ...]
    latency: tuple[LatencyRow, ...]


class Run(Record, frozen=True, kw_only=True):
    """A whole run as it is written to ``results.json``: the plan, the results and the judgement."""

    schema: int = SCHEMA
    plan: Plan
    results: tuple[CellResult, ...]
    judgement: Judgement
    reused: tuple[str, ...] = ()
    seconds: dict[str, float] = {}
