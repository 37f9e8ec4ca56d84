"""What a run promises before it starts: cells, locks, scenarios and expectations."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

# What every record is made of: outcomes, statuses, verdicts, and the schema version.

SCHEMA = 1

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a damaged or hostile JSON file raises."""

MAX_NAME = 250
"""Bytes of a name; file systems end at 255."""

CheckOutcome = Literal["pass", "fail", "error", "skip"]
"""What a check says inside its cell; expectations are applied later, by the judge."""

Outcome = Literal["pass", "fail", "error", "skip", "xfail", "xpass", "missing"]
"""What the judge says of a check. Red: fail, error, xpass, missing."""

CellStatus = Literal[
    "ok", "failed", "unsatisfiable", "install-error", "import-error", "crashed", "timed-out", "missing"
]
"""What became of a cell as a whole; ``missing`` is a planned cell without a result."""

Verdict = Literal["pass", "regressed", "inconclusive", "unsatisfiable", "error"]


def name_fault(name: str) -> str:
    """Why a name that a file holds could not be that of a file or folder; empty where it could."""
    if name in {"", ".", ".."} or "/" in name or "\\" in name or not name.isprintable():
        return f"{name[:80]!r} is a path or no name at all, but a plain name was expected"
    return f"a name of {len(name)} characters" if len(name.encode()) > MAX_NAME else ""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen value that crosses a stage."""


def digest_value(value: object) -> str:
    """Sha256 of the canonical JSON of a value."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


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

    A call that takes longer gets fewer rounds: about ``budget_seconds`` of timed calls a cell, but at
    least five.
    """

    id: str
    rounds: int
    target_seconds: float
    budget_seconds: float = 1.0


class Expectation(Record, frozen=True, kw_only=True, rename="kebab"):
    """A known divergence; strict: a check that passes all the same, or no match at all, is red.

    ``check`` is a glob over case ids, or several, each of which has to match; or ``status`` names the status
    of the whole cell. ``where`` maps a distribution (or ``python``) to a version specifier that the lock of a
    cell must satisfy. ``outcome`` is what the cases end in: an expected wrong value excuses no exception.
    """

    reason: str
    check: str | tuple[str, ...] | None = None
    status: CellStatus | None = None
    outcome: Literal["fail", "error"] = "fail"
    where: dict[str, str] = {}
    matrix: tuple[str, ...] = ()  # names of the matrices it belongs to; empty: all
    link: str = ""

    @property
    def checks(self) -> tuple[str, ...]:
        """The globs over case ids; none where it is about the whole cell."""
        if self.check is None:
            return ()
        return (self.check,) if isinstance(self.check, str) else self.check


class PlannedCell(Record, frozen=True, kw_only=True):
    """A cell with its lock and the cases that it owes; ``same_as`` names the cell whose run it shares."""

    cell: Cell
    lock: Lock
    cases: tuple[str, ...]
    same_as: str | None = None

    def __post_init__(self) -> None:
        """Refuse an id that could not be the name of the cell's folder."""
        if fault := name_fault(self.cell.id):
            raise ValueError(f"cell.id: {fault}")


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
    tolerances: dict[str, float] = {}  # name -> allowed value; the judge lets no result allow more

    def __post_init__(self) -> None:
        """Refuse a run that could not be the name of its folder, and two cells of one id."""
        if self.run and (fault := name_fault(self.run)):
            raise ValueError(f"run: {fault}")
        ids = [planned.cell.id for planned in self.cells]
        if twice := {name for name in ids if ids.count(name) > 1}:
            raise ValueError(f"cells: {min(twice)} is there twice")
