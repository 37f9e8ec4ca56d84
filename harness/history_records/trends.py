"""How what was measured moved from run to run."""

from __future__ import annotations

from typing import Literal

from harness.gate_records import Interval
from harness.records import Record

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
