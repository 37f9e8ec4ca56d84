"""Property checks: rows drawn by Hypothesis from the whole range of a dtype, and kept examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Callable, Dict, List, Literal, Optional, Tuple

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

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


FILLED = 0.9
"""Smallest share of examples with a row that is not zero; others test nothing but the guard."""


def _shapes() -> st.SearchStrategy[Tuple[int, int]]:
    return st.tuples(st.integers(1, 3), st.integers(1, 8))


def finite_rows(dtype: str) -> st.SearchStrategy[np.ndarray]:
    """Arrays of 1 to 3 rows and 1 to 8 columns with any finite numbers of the dtype, not all zero."""
    top = float(np.finfo(dtype).max)
    numbers = st.floats(-top, top, width=WIDTHS[dtype])

    def _filled(shape: Tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
        size = shape[0] * shape[1]
        flat = st.lists(numbers, min_size=size, max_size=size).filter(any)
        return flat.map(lambda drawn: np.array(drawn, dtype).reshape(shape))

    return _shapes().flatmap(_filled)


def safe_rows(dtype: str) -> st.SearchStrategy[np.ndarray]:
    """Arrays of 1 to 3 rows and 1 to 8 columns whose squares fit the dtype; only the first is never zero.

    A row has numbers from -1 to 1, the first of them at least a half, times a power of two.
    """
    low, high = oracle.safe_norms(dtype, 8)
    scales = st.integers(math.ceil(math.log2(low)) + 1, math.floor(math.log2(high)) - 2)
    numbers = st.floats(-1, 1, width=WIDTHS[dtype])
    peaks = st.floats(0.5, 1, width=WIDTHS[dtype])

    def _filled(shape: Tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
        count, width = shape
        rest = st.lists(numbers, min_size=count * (width - 1), max_size=count * (width - 1))
        filled, others = st.tuples(peaks, scales), st.none() | st.tuples(peaks, scales)
        return st.tuples(rest, filled, *[others] * (count - 1)).map(lambda drawn: _scaled(shape, *drawn))

    def _scaled(shape: Tuple[int, int], rest: List[float], *drawn: Optional[Tuple[float, int]]) -> np.ndarray:
        rows = np.zeros(shape)
        rows[:, 1:] = np.reshape(rest, (shape[0], shape[1] - 1))
        for row, scaling in zip(rows, drawn):  # noqa: B905 - new in Python 3.10
            row[0], scale = scaling or (0.0, 0)
            row[:] = np.ldexp(row, scale) if scaling else 0.0
        return rows.astype(dtype)

    return _shapes().flatmap(_filled)


@lru_cache(maxsize=None)  # drawing takes longer than normalizing, and every normalizer gets the same rows
def draw_examples(
    rows_of: Callable[[str], st.SearchStrategy[np.ndarray]], dtype: str
) -> Tuple[np.ndarray, ...]:
    """The kept examples of a dtype, then those that Hypothesis draws from the strategy ``rows_of(dtype)``."""
    examples: List[np.ndarray] = []

    @given(rows_of(dtype))
    def collect(rows: np.ndarray) -> None:
        examples.append(rows)

    for kept in KEPT[dtype]:
        collect = example(np.array(kept, dtype))(collect)
    collect()
    return tuple(examples)


def safe(rows: np.ndarray) -> np.ndarray:
    """The rows whose squares fit the dtype, including zero rows; possibly none."""
    low, high = oracle.safe_norms(rows.dtype.name, rows.shape[1])
    with np.errstate(all="ignore"):
        norms = np.hypot.reduce(rows.astype(np.float64), axis=1)
    return np.asarray(rows[(norms == 0) | ((norms >= low) & (norms <= high))])


@dataclass
class Search:
    """Measurement of every example, with the worst one kept."""

    name: str
    normalize: Normalizer
    extra: float
    worst: Optional[Difference] = None
    rows: Optional[np.ndarray] = None
    examples: int = 0
    filled: int = 0
    broken: int = 0

    def try_rows(self, rows: np.ndarray) -> float:
        """Measure one example and return its error as a multiple of the bound."""
        exact = oracle.normalize(rows)
        result = call(self.normalize, rows)
        found = compare(result, exact, allowed(self.name, rows, exact) + self.extra)
        if found.within:
            zeros = compare_zeros(result, exact)
            found = (
                found if zeros.within else Difference(np.inf, found.allowed, zeros.worst, 1.0, zeros.sample)
            )
        self.examples += 1
        self.filled += bool(rows.any())
        self.broken += not found.within
        ratio = found.value / found.allowed
        if self.worst is None or ratio > self.worst.value / self.worst.allowed:
            self.worst, self.rows = found, rows
        return min(ratio, 1e9)

    def fields(self) -> Fields:
        """The worst example as fields of the ``record`` fixture.

        Raises:
            RuntimeError: too few examples have a row that is not zero, so the search shows nothing.
        """
        if self.worst is None or self.rows is None:
            raise RuntimeError("no example was tried")
        if self.filled < FILLED * self.examples:
            raise RuntimeError(f"only {self.filled} of {self.examples} examples have a row that is not zero")
        sample = f"{self.worst.sample} in {self.rows.tolist()}"
        facts = {
            "examples": self.examples,
            "examples_with_a_row_that_is_not_zero": self.filled,
            "broken_examples": self.broken,
        }
        return fields(self.worst, sample=sample, share=self.broken / self.examples, facts=facts)
