"""What two runs differ in."""

from __future__ import annotations

from typing import Literal

from harness.gate_records import LockChange
from harness.history_records.past import PastRun
from harness.records import Record

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
