"""What is kept of a run."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.gate_records import QuantityDecision
from harness.records import CellStatus, Outcome, Record, Verdict

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
