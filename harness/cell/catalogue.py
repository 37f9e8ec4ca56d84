"""The catalogue of checks and latency scenarios: what every cell owes, known before anything runs.

Standard library only: the one module of the cell that the controller imports too, so that plan and suite
cannot disagree. Data in ``checks.toml`` beside this file.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple

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


@dataclass(frozen=True)
class Check:
    """One property with a stable id, a title, and the advice to give when it breaks."""

    id: str
    layer: str
    title: str
    advice: str
    over: Tuple[str, ...] = ()
    values: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()  # narrows an axis, or defines one of its own

    def combinations(self, normalizers: Tuple[str, ...]) -> List[Tuple[str, ...]]:
        """The parameters of its cases, in the order of ``over``."""
        axes = {**AXES, "normalizer": normalizers, **dict(self.values)}
        return list(itertools.product(*(axes[name] for name in self.over)))

    def cases(self, normalizers: Tuple[str, ...]) -> List[str]:
        """The ids of its cases: ``<check>/<value>/<value>``, in the order of ``over``."""
        return ["/".join((self.id, *values)) for values in self.combinations(normalizers)]


@dataclass(frozen=True)
class Scenario:
    """One latency scenario: what is called, on how many rows or texts, in which dtype."""

    id: str
    kind: str  # "normalize" or "embed"
    target: str  # a normalizer or "reference"; "openvino" (the subject's embedder) or "sentence-transformers"
    batch: int
    dtype: str


def _check(entry: Dict[str, Any]) -> Check:
    over = tuple(entry.get("over", ()))
    values = tuple((axis, tuple(entry[axis])) for axis in over if axis in entry)
    return Check(entry["id"], entry["layer"], entry["title"], entry["advice"], over, values)


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
