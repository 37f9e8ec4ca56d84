"""The records of a cell: its result, and its progress while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from harness.records.plan import SCHEMA, CellStatus, CheckOutcome, Record, name_fault

Whole = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A count that fits into the database of the history."""


class Observation(Record, frozen=True, kw_only=True):
    """What a check measured.

    ``value`` is in ``unit``. ``bound`` is the relation to ``allowed`` (``max``: value <= allowed, ``min``:
    value >= allowed, ``equal``, or ``none`` if only recorded). A ``value`` of None is a measured non-finite
    number and never passes. ``worst`` is the index of the worst element, ``share`` the share of elements
    beyond ``allowed``, ``control`` the same measure for a different model. ``blame`` is the side that is
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

    ``baseline`` and ``control`` (the A/A arm: a second process of the baseline) hold their rounds in the same
    slices of time; ``session`` names the interleaved session.
    """

    scenario: str
    session: str
    iterations: Whole
    rounds: tuple[float, ...]
    baseline: tuple[float, ...] = ()
    control: tuple[float, ...] = ()


class CellResult(Record, frozen=True, kw_only=True):
    """The result of one cell, whatever its status."""

    schema: int = SCHEMA
    cell: str
    key: str  # lock, suite, subject, model, machine, settings: equal keys need no second run
    run: str  # the run that measured it
    status: CellStatus
    reason: str = ""  # one sentence; empty when ok
    log_tail: tuple[str, ...] = ()
    facts: dict[str, str] = {}  # versions, BLAS, threads, CPU flags, precision, as seen in the process
    cases: tuple[CaseResult, ...] = ()
    timings: tuple[Timing, ...] = ()
    untimed: dict[str, str] = {}  # scenario -> why there is no timing
    seconds: dict[str, float] = {}  # stage -> wall seconds: environment, imports, contract, latency
    peak_rss: Whole = 0  # bytes
    edited: tuple[str, ...] = ()  # input files that changed during the run: the result does not count

    def __post_init__(self) -> None:
        """Refuse a cell, key or run that is not a valid folder name: they become folders."""
        for field, name in (("cell", self.cell), ("key", self.key), ("run", self.run)):
            if name and (fault := name_fault(name)):
                raise ValueError(f"{field}: {fault}")


class Progress(Record, frozen=True, kw_only=True):
    """The current progress of a cell; ``stage`` is a CellStatus or its current activity.

    ``host`` is the worker of a cluster that runs it; empty on this machine.
    """

    cell: str
    stage: str
    done: int = 0
    total: int = 0
    note: str = ""
    host: str = ""


Notify = Callable[[Progress], None]
"""Receives the progress of cells; returns at once."""


def discard(message: object) -> None:
    """Discard a message or progress that is not shown."""
