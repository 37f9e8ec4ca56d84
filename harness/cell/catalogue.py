"""The catalogue of checks and latency scenarios: what every cell owes, known before anything runs.

Standard library only: the one module of the cell that the controller imports too, so that plan and suite
cannot disagree. Data in ``checks.toml`` beside this file.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

try:
    import tomllib
except ImportError:  # Python < 3.11: pytest brings tomli there
    import tomli as tomllib  # type: ignore[no-redef, unused-ignore]

CHECKS_FILE = Path(__file__).with_name("checks.toml")

LAYERS = ("ENV", "API", "L0", "L1", "L2", "L3", "RT", "GOLD")
"""In the order of the report: process, names, normalization, raw, end to end, retrieval, runtime, drift."""

SHIPPED_NORMALIZERS = ("manual", "stable")
"""What comes with the harness; a subject of the user's own is a third, called ``subject``."""

AXES: Dict[str, Tuple[str, ...]] = {
    "dtype": ("float16", "float32", "float64"),
    "output": ("float32", "float16"),
}

TOLERANCES: Dict[str, float] = {
    "l1.hidden": 3e-5,
    "l2.float32": 2e-6,
    "l2.float16": 5e-4,
    "unit.float32": 5e-7,
    "unit.float16": 1.5e-3,
    "rt.float32": 2e-6,
    "gold.float32": 2e-6,
    "gold.float16": 5e-4,
}
"""What runs were measured with whose plan is of a version that did not say it; new plans do."""

ELSE = "else"


@dataclass(frozen=True)
class Limit:
    """How a case may bind what it measures: ``bound``, and the weakest ``value`` of it; None for ``none``."""

    bound: str
    value: Optional[float] = None


@dataclass(frozen=True)
class Check:
    """One property with a stable id, a title, and the advice to give when it breaks.

    ``bounds`` and ``limits`` hold pairs of a value of a case (or ``else``) and what is valid there;
    ``may_skip`` are globs over the reasons of skips.
    """

    id: str
    layer: str
    title: str
    advice: str
    over: Tuple[str, ...] = ()
    values: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()  # narrows an axis, or defines one of its own
    bounds: Tuple[Tuple[str, str], ...] = ()
    limits: Tuple[Tuple[str, Union[float, str]], ...] = ()
    may_skip: Tuple[str, ...] = ()

    def combinations(self, normalizers: Tuple[str, ...]) -> List[Tuple[str, ...]]:
        """The parameters of its cases, in the order of ``over``."""
        axes = {**AXES, "normalizer": normalizers, **dict(self.values)}
        return list(itertools.product(*(axes[name] for name in self.over)))

    def cases(self, normalizers: Tuple[str, ...]) -> List[str]:
        """The ids of its cases: ``<check>/<value>/<value>``, in the order of ``over``."""
        return ["/".join((self.id, *values)) for values in self.combinations(normalizers)]

    def limit_of(self, case: str, tolerances: Mapping[str, float]) -> Optional[Limit]:
        """What a case may be bound by; None where the check says nothing.

        Raises:
            LookupError: the limit is a tolerance that is not among ``tolerances``.
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
    """One latency scenario: what is called, on how many rows or texts, in which dtype."""

    id: str
    kind: str  # "normalize" or "embed"
    target: str  # a normalizer or "reference"; "openvino" (the subject's embedder) or "sentence-transformers"
    batch: int
    dtype: str


def _choose(pairs: Tuple[Tuple[str, Any], ...], values: List[str]) -> Any:
    """What is valid for a case with these values: the first pair that names one of them, or ``else``."""
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
    )


def load_checks(path: Path = CHECKS_FILE) -> Tuple[Check, ...]:
    """Every check of the suite, in the order of the file."""
    with path.open("rb") as file:
        return tuple(_check(entry) for entry in tomllib.load(file)["check"])


def load_scenarios(normalizers: Tuple[str, ...] = SHIPPED_NORMALIZERS) -> Tuple[Scenario, ...]:
    """Every latency scenario, in the order in which they are measured."""
    normalize = (
        Scenario(f"normalize.{target}.{dtype}.{batch}", "normalize", target, batch, dtype)
        for dtype in ("float32", "float16")
        for batch in (1, 32, 256, 4096)
        for target in (*normalizers, "reference")
    )
    embed = (
        Scenario(f"embed.{target}.float32.{batch}", "embed", target, batch, "float32")
        for batch in (1, 8, 32)
        for target in ("openvino", "sentence-transformers")
    )
    return (*normalize, *embed)
