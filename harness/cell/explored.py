"""Property checks: rows drawn by Hypothesis from the whole range of a dtype, and kept examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Literal, Optional, Tuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from harness.cell import oracle
from harness.cell.normalization import Fields, Normalizer, allowed, call, fields
from harness.cell.oracle import Difference, compare, compare_zeros

WIDTHS: Dict[str, Literal[16, 32, 64]] = {"float16": 16, "float32": 32, "float64": 64}

KEPT: Dict[str, Tuple[List[List[float]], ...]] = {
    "float16": ([[300, 300]], [[1e-3, 1e-3]], [[1e-4, 1e-4]], [[60000, 60000]], [[0, 0], [6e-8, 0]]),
    "float32": (
        [[1e-13, 1e-13]],
        [[1e-30, 1e-30]],
        [[1e20, 1e20]],
        [[3e38, 1e-45]],
        [[0, 0], [1e-45, 1e-45]],
    ),
    "float64": ([[1e-160, 1e-160]], [[5e-324, 5e-324]], [[1e160, 1e160]], [[1.7e308, 5e-324]], [[0.0, -0.0]]),
}
"""Rows that failed once: those of the known divergences, and counterexamples of Hypothesis."""


def finite_rows(dtype: str) -> st.SearchStrategy[np.ndarray]:
    """Arrays of 1 to 3 rows and 1 to 8 columns with any finite numbers of the dtype."""
    top = float(np.finfo(dtype).max)
    numbers = st.floats(-top, top, width=WIDTHS[dtype])
    shapes = st.tuples(st.integers(1, 3), st.integers(1, 8))

    def _filled(shape: Tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
        size = shape[0] * shape[1]
        flat = st.lists(numbers, min_size=size, max_size=size)
        return flat.map(lambda drawn: np.array(drawn, dtype).reshape(shape))

    return shapes.flatmap(_filled)


def safe(rows: np.ndarray) -> np.ndarray:
    """The rows whose squares fit the dtype, including zero rows; possibly none."""
    low, high = oracle.safe_norms(rows.dtype.name, rows.shape[1])
    with np.errstate(all="ignore"):
        norms = np.hypot.reduce(rows.astype(np.float64), axis=1)
    return np.asarray(rows[(norms == 0) | ((norms >= low) & (norms <= high))])


@dataclass
class Search:
    """Measurement of every example, with the worst one kept; no exception starts a long shrinking."""

    name: str
    normalize: Normalizer
    extra: float
    worst: Optional[Difference] = None
    rows: Optional[np.ndarray] = None
    examples: int = 0
    broken: int = field(default=0)

    def try_rows(self, rows: np.ndarray) -> float:
        """Measure one example and return its error as a multiple of the bound."""
        exact = oracle.normalize(rows)
        try:
            result = call(self.normalize, rows)
        except UnsatisfiedAssumption as error:  # from the subject, it would discard the example
            raise RuntimeError("the normalizer rejects the example (hypothesis.reject)") from error
        found = compare(result, exact, allowed(self.name, rows, exact) + self.extra)
        if found.within:
            zeros = compare_zeros(result, exact)
            found = (
                found if zeros.within else Difference(np.inf, found.allowed, zeros.worst, 1.0, zeros.sample)
            )
        self.examples += 1
        self.broken += not found.within
        ratio = found.value / found.allowed
        if self.worst is None or ratio > self.worst.value / self.worst.allowed:
            self.worst, self.rows = found, rows
        return min(ratio, 1e9)

    def fields(self) -> Fields:
        """The worst example as fields of the ``record`` fixture."""
        if self.worst is None or self.rows is None:
            raise RuntimeError("no example was tried")
        sample = f"{self.worst.sample} in {self.rows.tolist()}"
        facts = {"examples": self.examples, "broken_examples": self.broken}
        return fields(self.worst, sample=sample, share=self.broken / self.examples, facts=facts)
