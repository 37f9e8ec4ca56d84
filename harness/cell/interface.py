"""The interface of controller and cell: the spec of a process, checks and scenarios.

Both sides import it, on every Python of a matrix, so it needs the standard library only.
"""

from __future__ import annotations

import importlib
import itertools
import json
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

# Spec: one JSON file, written by the controller, read once at the start

DEFAULT_NORMALIZER = "harness.cell.normalizers:manual"
DEFAULT_EMBEDDER = "harness.cell.embedder:OpenVinoEmbedder"

CHANNEL_VARIABLE = "HARNESS_CHANNEL_FD"
"""Environment variable with the file descriptor of the socket to the controller."""


@dataclass(frozen=True)
class CellSpec:
    """The settings of one cell process.

    Attributes:
        cell: id of the cell (``aa.<id>`` for the A/A arm).
        phases: ``contract``, ``latency`` or both, in this order.
        locked: distribution -> exact version that the process must have.
        embedder: dotted path ``module:name`` of a factory ``(model_dir: str) -> embedder``; an embedder is
            called with ``list[str]`` and returns a float array of shape (n, d), not normalized.
        normalizer: dotted path of a function, array (n, d) -> array (n, d).
        service: dotted path of a function from ``list[str]`` to final vectors, or of its factory, instead of
            embedder and normalizer; see ``harness.cell.subject``. Empty: embedder and normalizer.
        query: the same for queries, where they differ from documents, which ``service`` then embeds.
        normalized: whether the vectors of the service have length one.
        setup: dotted path of a function without arguments, called before the subject is imported.
        close: the same, called at the end of the process.
        batch: texts in a call of the service in production; None: the usual batches are timed.
        variables: names of the environment variables that the matrix adds to those of a cell.
        search_path: folders at the start of ``sys.path``, for the subject.
        model_dir: a local sentence-transformers model folder.
        corpus: path of the corpus (TOML); empty: the one that is shipped.
        stored: paths of vectors of the user's index and of their texts (``harness.cell.stored``); empty:
            none, and of the second, that the first holds the texts.
        golden: path of the golden embeddings, a file or a folder; None where there are none.
        golden_required: model and corpus are those that are shipped, so golden embeddings of them must exist.
        tolerances: name -> allowed value, from ``matrices/tolerances.toml``.
        scenarios: ids of the latency scenarios to measure, in order.
        only: globs over case ids; empty: all.
        profile: Hypothesis profile, ``default`` (derandomized) or ``explore``.
        threads: thread count of every library in the process.
        benchmark_json: output file of pytest-benchmark; None for no file.
        vectors: output file of the vectors of the corpus (``harness.cell.recorded``); None for no file.
        converted: folder with ``openvino_model.xml`` and ``.bin``, made by ``harness.cell.convert`` in the
            same environment; None: the subject converts the model itself.
        workdir: an empty, writable folder.
        bytecode: folder for the bytecode of modules whose own folder is read-only; None: they have theirs.
    """

    cell: str
    phases: Tuple[str, ...]
    locked: Dict[str, str]
    model_dir: str
    workdir: str
    embedder: str = DEFAULT_EMBEDDER
    normalizer: str = DEFAULT_NORMALIZER
    service: str = ""
    query: str = ""
    normalized: bool = True
    setup: str = ""
    close: str = ""
    batch: Optional[int] = None
    variables: Tuple[str, ...] = ()
    search_path: Tuple[str, ...] = ()
    corpus: str = ""
    stored: Tuple[str, ...] = ()
    golden: Optional[str] = None
    golden_required: bool = False
    tolerances: Dict[str, float] = field(default_factory=dict)
    scenarios: Tuple[str, ...] = ()
    only: Tuple[str, ...] = ()
    profile: str = "default"
    threads: int = 1
    benchmark_json: Optional[str] = None
    vectors: Optional[str] = None
    converted: Optional[str] = None
    bytecode: Optional[str] = None

    @property
    def normalizers(self) -> Tuple[str, ...]:
        """Names of the normalizers under check."""
        return name_normalizers(self.normalizer, service=bool(self.service))

    @property
    def is_shipped(self) -> bool:
        """Whether the embedder is that of the harness, which can take a converted model."""
        return not self.service and self.embedder == DEFAULT_EMBEDDER

    @property
    def paths(self) -> Tuple[str, ...]:
        """The dotted paths of the subject, without setup and close."""
        named = (self.service, self.query) if self.service else (self.embedder, self.normalizer)
        return tuple(filter(None, named))

    def list_cases(self, checks: Sequence[Check]) -> Tuple[str, ...]:
        """The ids of all cases that this subject is asked, in the order of the checks."""
        asked = list_checks(
            checks, service=bool(self.service), normalized=self.normalized, stored=bool(self.stored)
        )
        return tuple(case for check in asked for case in check.cases(self.normalizers))

    def list_scenarios(self) -> Dict[str, Scenario]:
        """The latency scenarios of this subject by id."""
        found = load_scenarios(() if self.service else self.normalizers, self.batch)
        return {scenario.id: scenario for scenario in found}

    def write(self, path: Path) -> None:
        """Write the spec as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> CellSpec:
        """Read a spec made by ``write``."""
        raw: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        tuples = ("phases", "search_path", "scenarios", "only", "variables", "stored")
        values: Dict[str, Any] = {key: tuple(raw[key]) if key in tuples else raw[key] for key in raw}
        return cls(**values)


# Catalogue of checks (``checks.toml``) and latency scenarios, shared by plan and suite

try:
    import tomllib
except ImportError:  # Python < 3.11: pytest brings tomli there
    import tomli as tomllib  # type: ignore[no-redef, unused-ignore]

CHECKS_FILE = Path(__file__).with_name("checks.toml")

QUESTIONS: Dict[str, str] = {
    "before": "Same vectors as before?",
    "reference": "Same vectors as the reference?",
    "ranking": "Same ranking?",
    "dtype": "Dtype and zero rows kept?",
    "stability": "Does it hold up?",
    "cost": "Cost within the limits?",
}
"""The questions that a run answers, in their order; ``yes`` is good."""

LAYERS = ("ENV", "API", "L0", "L1", "L2", "L3", "RT", "GOLD")
"""Layers in report order: process, names, normalization, raw, end to end, retrieval, runtime, drift."""

SHIPPED_NORMALIZERS = ("manual", "stable")
"""The normalizers of the harness; a normalizer of the user is a third, called ``subject``."""


def name_normalizers(normalizer: str, *, service: bool) -> Tuple[str, ...]:
    """Axis values of the normalizers; a service has one, whose vectors are final already."""
    own = service or normalizer != DEFAULT_NORMALIZER
    return (*(("subject",) if own else ()), *(() if service else SHIPPED_NORMALIZERS))


AXES: Dict[str, Tuple[str, ...]] = {
    "dtype": ("float16", "float32", "float64"),
    "output": ("float32", "float16"),
}

ELSE = "else"


@dataclass(frozen=True)
class Limit:
    """The kind of ``bound`` of a case, and its weakest valid ``value``; None for ``none``."""

    bound: str
    value: Optional[float] = None


@dataclass(frozen=True)
class Check:
    """One property with a stable id, a title, and the advice for a failure.

    ``bounds`` and ``limits`` hold pairs of a case value (or ``else``) and its valid bound or limit;
    ``may_skip`` holds globs over valid reasons of skips. ``question``, ``covers``, ``severity``, ``reaches``,
    ``on``, ``by`` and ``needs`` are described in the catalogue.
    """

    id: str
    layer: str
    title: str
    advice: str
    over: Tuple[str, ...] = ()
    values: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()  # restricts an axis, or defines a new one
    bounds: Tuple[Tuple[str, str], ...] = ()
    limits: Tuple[Tuple[str, Union[float, str]], ...] = ()
    may_skip: Tuple[str, ...] = ()
    question: str = ""
    covers: bool = False
    severity: str = "breaks"
    reaches: Tuple[Tuple[str, str], ...] = ()
    on: str = "subject"
    by: str = "cell"
    needs: str = ""

    @property
    def is_of_a_part(self) -> bool:
        """Whether the check runs a part of a service alone: its normalizer, or its model (hidden states)."""
        return self.layer in ("L0", "L1") or self.over == ("normalizer",)

    @property
    def is_control(self) -> bool:
        """Whether the check tests a tolerance instead of the service."""
        return self.id.endswith(".control")

    def values_of(self, case: str) -> Dict[str, str]:
        """The parameters of a case by axis; a case of another shape has none."""
        values = case.split("/")[1:]
        return dict(zip(self.over, values)) if len(values) == len(self.over) else {}  # noqa: B905 # new in 3.10

    def reach_of(self, case: str) -> str:
        """Where the inputs of a limit lie: ``small``, ``large`` or ``both`` (norms), or ``non-finite``."""
        return str(_choose(self.reaches, case.split("/")[1:]) or "")

    def combinations(self, normalizers: Tuple[str, ...]) -> List[Tuple[str, ...]]:
        """The parameters of all cases, in the order of ``over``."""
        axes = {**AXES, "normalizer": normalizers, **dict(self.values)}
        return list(itertools.product(*(axes[name] for name in self.over)))

    def cases(self, normalizers: Tuple[str, ...]) -> List[str]:
        """The ids of all cases: ``<check>/<value>/<value>``, in the order of ``over``."""
        return ["/".join((self.id, *values)) for values in self.combinations(normalizers)]

    def limit_of(self, case: str, tolerances: Mapping[str, float]) -> Optional[Limit]:
        """The limit of a case; None if the check declares none.

        Raises:
            LookupError: the limit names a tolerance that ``tolerances`` does not have.
        """
        values = case.split("/")[1:]
        bound, limit = _choose(self.bounds, values), _choose(self.limits, values)
        if bound is None:
            return None
        if not isinstance(limit, str):
            return Limit(bound, limit)
        factor, _, name = limit.rpartition(" ")
        named = name.format(**{axis: values[place] for place, axis in enumerate(self.over)})
        return Limit(bound, float(factor or 1) * tolerances[named])

    def declares_skip(self, reason: str) -> bool:
        """Whether a case may be skipped for this reason."""
        return any(fnmatchcase(reason, glob) for glob in self.may_skip)


@dataclass(frozen=True)
class Scenario:
    """One latency scenario: the function, the number of rows or texts, and the dtype."""

    id: str
    kind: str  # "normalize" or "embed"
    target: str  # a normalizer or "reference"; "openvino" (the subject's embedder) or "sentence-transformers"
    batch: int
    dtype: str


def _choose(pairs: Tuple[Tuple[str, Any], ...], values: List[str]) -> Any:
    """Choose the first pair that names one of the values of a case, or ``else``."""
    return next((found for name, found in pairs if name == ELSE or name in values), None)


def _pairs(found: Any) -> Tuple[Tuple[str, Any], ...]:
    return tuple(found.items()) if isinstance(found, dict) else ((ELSE, found),)


def _check(entry: Dict[str, Any]) -> Check:
    over = tuple(entry.get("over", ()))
    values = tuple((axis, tuple(entry[axis])) for axis in over if axis in entry)
    bounds = _pairs(entry["bound"])
    return Check(
        *(entry["id"], entry["layer"], entry["title"], entry["advice"], over, values, bounds),
        limits=() if bounds == ((ELSE, "none"),) else _pairs(entry["limit"]),
        may_skip=tuple(entry.get("may-skip", ())),
        question=entry.get("question", ""),
        covers=entry.get("covers", False),
        severity=entry.get("severity", "breaks"),
        reaches=_pairs(entry["reach"]) if "reach" in entry else (),
        on=entry.get("on", "subject"),
        by=entry.get("by", "cell"),
        needs=entry.get("needs", ""),
    )


def check_of(case: str) -> str:
    """The id of the check that a case belongs to."""
    return case.split("/", 1)[0]


def load_checks(path: Path = CHECKS_FILE) -> Tuple[Check, ...]:
    """Every check of the suite, in the order of the file."""
    return _parse_checks(path.read_bytes())


@lru_cache(maxsize=8)  # it takes 4 ms, and each cell of a run needs it several times
def _parse_checks(content: bytes) -> Tuple[Check, ...]:
    return tuple(_check(entry) for entry in tomllib.loads(content.decode())["check"])


LENGTH_CHECK = "l2.unit-length"
"""The check of the lengths of final vectors, which has no meaning where a service does not normalize."""


def list_checks(
    checks: Sequence[Check], *, service: bool, normalized: bool = True, stored: bool = False
) -> Tuple[Check, ...]:
    """The checks that a subject is asked; a service is compared end to end, not in its parts.

    ``stored``: the matrix names vectors of an index, without which some checks have no meaning.
    """
    asked = tuple(check for check in checks if not (service and check.is_of_a_part))
    asked = tuple(check for check in asked if stored or check.needs != "stored")
    return tuple(check for check in asked if normalized or check.id != LENGTH_CHECK)


LIBRARY_CHECK, FEATURE = "api.library", "feature"
"""The check of functions around the service, and its axis, whose values ``[subject] relies-on`` can name."""

MARGIN_CHECK = "l0.margin"
"""The check that measures how far the embeddings are from norms at which a normalizer breaks."""

RECORDED_CHECK = "gold.recorded"
"""The check that records the vectors of a cell, which the controller compares with those of the baseline."""


def select_cases(cases: Sequence[str], globs: Sequence[str]) -> Tuple[str, ...]:
    """The cases that match a glob, and those that the judgement of one of them depends on.

    That is ``MARGIN_CHECK`` for limits, and ``RECORDED_CHECK`` for comparisons by the controller.
    """
    chosen = {case for case in cases if any(fnmatchcase(case, glob) for glob in globs)}
    checks = load_checks()
    needed = {check.id: MARGIN_CHECK for check in checks if check.severity == "limits"}
    needed.update({check.id: RECORDED_CHECK for check in checks if check.by == "controller"})
    more = {needed[check_of(case)] for case in chosen if check_of(case) in needed}
    return tuple(case for case in cases if case in chosen or check_of(case) in more)


def list_measured_by(side: str, cases: Sequence[str]) -> Tuple[str, ...]:
    """The cases that ``side`` measures, ``cell`` or ``controller``; unknown ones are the cell's."""
    sides = {check.id: check.by for check in load_checks()}
    return tuple(case for case in cases if sides.get(check_of(case), "cell") == side)


def load_scenarios(
    normalizers: Tuple[str, ...] = SHIPPED_NORMALIZERS, batch: Optional[int] = None
) -> Tuple[Scenario, ...]:
    """Every latency scenario, in the order of measurement.

    Without normalizers only texts are embedded. ``batch`` is that of production, instead of the usual ones.
    """
    normalize = (
        Scenario(f"normalize.{target}.{dtype}.{size}", "normalize", target, size, dtype)
        for dtype in ("float32", "float16")
        for size in ((1, 32, 256, 4096) if batch is None else (batch,))
        for target in (*normalizers, "reference")
        if normalizers
    )
    embed = (
        Scenario(f"embed.{target}.float32.{size}", "embed", target, size, "float32")
        for size in ((1, 8, 32) if batch is None else (batch,))
        for target in ("openvino", "sentence-transformers")
    )
    return (*normalize, *embed)


# Dotted paths of the subject

SHIPPED = {"manual": "harness.cell.normalizers:manual", "stable": "harness.cell.normalizers:stable"}
RETURNED, TO_UNIT = "harness.cell.subject:return_unchanged", "harness.cell.subject:to_unit"
"""The normalizers of a service: none if its vectors have length one, else one of the harness."""


class MissingNameError(ImportError):
    """A module has no such name."""


def load_dotted(path: str) -> Any:
    """Import the object ``module:name`` (or ``module:name.attribute``).

    Raises:
        ImportError: the module does not exist; a ``MissingNameError`` if it has no such name.
    """
    module, _, name = path.partition(":")
    if not name:
        raise ImportError(f"{path!r} is not a dotted path: write it as 'module:name'")
    try:
        return reduce(getattr, name.split("."), importlib.import_module(module))
    except AttributeError as error:
        raise MissingNameError(f"{path!r}: {error}") from error


def load_normalizer(spec: CellSpec, name: str) -> Any:
    """The normalizer of the axis value ``manual``, ``stable`` or ``subject``."""
    if spec.service:
        return load_dotted(RETURNED if spec.normalized else TO_UNIT)
    return load_dotted(SHIPPED.get(name, spec.normalizer))
