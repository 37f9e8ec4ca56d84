"""The plan of a run, made before it starts: cells, locks, scenarios and expectations."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

# Shared by all records: outcomes, statuses, verdicts, and the schema version.

SCHEMA = 1

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions from decoding a damaged or hostile JSON file."""

MAX_NAME = 250
"""Maximum bytes of a name; file systems allow 255."""

CheckOutcome = Literal["pass", "fail", "error", "skip"]
"""The outcome of a check inside its cell; the judge applies expectations later."""

Outcome = Literal["pass", "fail", "error", "skip", "xfail", "xpass", "missing", "limit", "note"]
"""The judged outcome of a case. Red: fail, error, xpass, missing.

``limit`` and ``note`` are failures of these severities.
"""

Severity = Literal["breaks", "limits", "notes"]
"""What a failure means: served vectors are wrong; inputs far from the service's own are; a recorded fact."""

CellStatus = Literal[
    "ok", "failed", "unsatisfiable", "install-error", "import-error", "crashed", "timed-out", "missing"
]
"""The status of a whole cell; ``missing`` is a planned cell without a result."""

Verdict = Literal[
    "pass", "failing, nothing new", "failing", "regressed", "inconclusive", "unsatisfiable", "error"
]
"""``failing``: red, and the baseline has the same faults; in a gate that is nothing new."""


def name_fault(name: str) -> str:
    """Describe why a name cannot be that of a file or folder; empty if it can."""
    if name in {"", ".", ".."} or "/" in name or "\\" in name or not name.isprintable():
        return f"{name[:80]!r} is a path or no name at all, but a plain name was expected"
    return f"a name of {len(name)} characters" if len(name.encode()) > MAX_NAME else ""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen value that is passed between stages."""


def digest_value(value: object) -> str:
    """Sha256 of the canonical JSON of a value."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


class Cell(Record, frozen=True, kw_only=True):
    """One combination of versions.

    ``axes`` identifies the cell (axis -> version, including ``python`` if it is an axis). ``requirements``
    are all requested version specifiers (PEP 508, sorted: axes, pins, suite, subject).
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

    ``origin`` is ``committed`` (read from ``matrices/locks``) or ``resolved`` (for this run);
    ``digest`` is the sha256 of the canonical text of platform, python and distributions: equal digests mean
    equal environments. Exactly one of ``distributions`` and ``reason`` is non-empty.
    """

    cell: str
    platform: str
    python: str
    inputs: str  # sha256 of the requested specifiers; detects a stale lock
    origin: Literal["committed", "resolved"]
    digest: str
    distributions: tuple[Distribution, ...] = ()
    reason: str = ""


class ScenarioPlan(Record, frozen=True, kw_only=True):
    """One latency scenario: ``rounds`` timed rounds per cell, each lasting about ``target_seconds``.

    Slow calls get fewer rounds: about ``budget_seconds`` of timed calls per cell, but at least five.
    """

    id: str
    rounds: int
    target_seconds: float
    budget_seconds: float = 1.0


class Expectation(Record, frozen=True, kw_only=True, rename="kebab"):
    """A known divergence; strict: a check that passes, or an expectation without a match, is red.

    Either ``check`` is one or several globs over case ids, each of which has to match, or ``status`` is the
    status of the whole cell. ``where`` maps a distribution (or ``python``) to a version specifier that the
    lock of a cell must satisfy. ``outcome`` is that of the cases: an expected ``fail`` excuses no ``error``.
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
        """The globs over case ids; none for an expectation of a status."""
        if self.check is None:
            return ()
        return (self.check,) if isinstance(self.check, str) else self.check


class PlannedCell(Record, frozen=True, kw_only=True):
    """A cell with its lock and its required cases; ``same_as`` names the cell whose run it shares."""

    cell: Cell
    lock: Lock
    cases: tuple[str, ...]
    same_as: str | None = None

    def __post_init__(self) -> None:
        """Refuse an id that is not a valid folder name."""
        if fault := name_fault(self.cell.id):
            raise ValueError(f"cell.id: {fault}")


class Service(Record, frozen=True, kw_only=True):
    """What is under test, as the matrix names it.

    ``embedder`` and ``normalizer`` are dotted paths, ``model`` a distribution or a folder. ``service``, or
    ``query`` and ``document``, are in place of these two, and ``normalized`` is about their vectors.
    ``dtypes`` are the served ones; empty: those that the embedder returns. ``batch`` is that of production,
    ``corpus`` the file of a team's own texts. ``strict`` makes limits red. ``relies_on`` names functions of
    the library that break the service where they change. ``own_model``: the model is not that of the harness.
    """

    embedder: str = ""
    normalizer: str = ""
    service: str = ""
    query: str = ""
    document: str = ""
    normalized: bool = True
    model: str = ""
    dtypes: tuple[str, ...] = ()
    batch: int | None = None
    corpus: str = ""
    strict: bool = False
    own_model: bool = False
    relies_on: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether final vectors are judged, and no normalizer alone."""
        return bool(self.service or self.document)


OLDER_TOLERANCES = {
    "l1.hidden": 3e-5,
    "l2.float32": 2e-6,
    "l2.float16": 5e-4,
    "unit.float32": 5e-7,
    "unit.float16": 1.5e-3,
    "rt.float32": 2e-6,
    "gold.float32": 2e-6,
    "gold.float16": 5e-4,
    "before.float32": 1e-5,
    "before.float16": 1.3e-3,
}
"""The tolerances of runs whose plan has none, because it is of an older version."""


class Shard(Record, frozen=True, kw_only=True):
    """The cells of one of several sweeps that share a matrix, and their weight when the cells were divided.

    The weight is in seconds where past durations are known, else the number of runs.
    """

    cells: tuple[str, ...]
    weight: float


class RuledOut(Record, frozen=True, kw_only=True):
    """Versions without a common solution: no row has one of these versions on each of these axes.

    ``by`` is the exclude row of the matrix or the resolver, ``reason`` theirs.
    """

    versions: dict[str, tuple[str, ...]]
    reason: str
    by: Literal["exclude", "resolver"]


class Combination(Record, frozen=True, kw_only=True):
    """One version on each of some axes, and the cell that has them, or what rules them out.

    ``ruled_out`` are places in ``Coverage.ruled_out``: together they leave no row with these versions. If
    ``unresolved``, the cell has no solution here, and neither has another cell with these versions.
    """

    versions: dict[str, str]
    cell: str = ""
    ruled_out: tuple[int, ...] = ()
    unresolved: bool = False


class Coverage(Record, frozen=True, kw_only=True):
    """The proof that the cells of a covering array have every feasible combination of ``strength`` axes.

    ``product`` is the number of rows that all combinations of all axes would be.
    """

    strength: int
    product: int
    combinations: tuple[Combination, ...]
    ruled_out: tuple[RuledOut, ...] = ()


class Plan(Record, frozen=True, kw_only=True):
    """All cells and cases of a run; the judge walks the plan, so that a missing result is a finding."""

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
    borrowed: tuple[Expectation, ...] = ()  # shipped expectations for a user's matrix: may match nothing
    command: str = "nox -s compat --"  # the command that runs this matrix again
    commit: str = ""  # of the repository, with the suffix "+changes" if files differed; empty: none
    subset: bool = False  # --only/--skip left cells out
    baseline_cell: PlannedCell | None = None  # the baseline, if the selection excludes it
    service: Service | None = None  # None: the plan is of an earlier version
    tolerances: dict[str, float] = {}  # name -> allowed value; the judge rejects larger ones
    shards: tuple[Shard, ...] = ()  # how the cells are divided among machines; empty: they are not
    shard: int = 0  # the number of this shard; 0: the plan is whole
    whole: Plan | None = None  # of a shard: the plan of all shards, of which the cells here are a part
    coverage: Coverage | None = None  # None: the cells are no covering array
    isolation: str = ""  # what is in force for all cells, with the reason if nothing; empty: unknown

    def __post_init__(self) -> None:
        """Refuse a run that is not a valid folder name, two cells of one id, and a shard of nothing."""
        if self.run and (fault := name_fault(self.run)):
            raise ValueError(f"run: {fault}")
        ids = [planned.cell.id for planned in self.cells]
        if len({*ids}) < len(ids):
            raise ValueError(f"cells: {min(name for name in ids if ids.count(name) > 1)} is there twice")
        if not 0 <= self.shard <= (len(self.whole.shards) if self.whole else 0):
            raise ValueError(f"shard: {self.shard} is none of those that the plan has")

    def name_shard(self, cell: str) -> str:
        """The shard of a cell, such as ``2/8``; empty if the plan is not divided."""
        found = (number for number, shard in enumerate(self.shards, 1) if cell in shard.cells)
        return next((f"{number}/{len(self.shards)}" for number in found), "")


def describe_isolation(text: str) -> str:
    """Describe the isolation of a plan or a gate in a few words; empty if it is unknown."""
    fact, _, reason = text.partition(": ")
    if fact == "none":
        return f"cells not isolated ({reason})" if reason else "cells not isolated"
    return {"": "", "namespaces": "cells isolated"}.get(fact, "cells isolated, with network")


def describe_machine(facts: Mapping[str, str]) -> str:
    """Describe the machine of a run, or the machines; latency is compared within one machine class only."""
    parts = [facts.get(name, "") for name in ("system", "architecture", "cpu")]
    if cores := facts.get("cores"):
        parts.append(f"{cores} cores")
    if facts.get("memory_bytes", "").isdecimal():
        parts.append(f"{int(facts['memory_bytes']) / 1024**3:.0f} GiB")
    if classes := facts.get("classes"):
        parts.append(f"{classes} machine classes")
    elif machine_class := facts.get("class"):
        parts.append(f"machine class {machine_class[:8]}")
    if shards := facts.get("shards"):
        parts.append(f"{shards} shard{'' if shards == '1' else 's'}")
    return ", ".join(filter(None, parts))
