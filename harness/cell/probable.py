"""Bounds on the rounding of a sum in an unknown order, which hold with a stated probability.

The bound for certain grows with the number of terms, and would let a reference be wrong by a hundred ULPs.
Independent rounding errors mostly cancel (Higham and Mary, A New Approach to Probabilistic Rounding Error
Analysis, 2019): a sum is off by the sum of its errors, each weighed by a partial sum. Uniform errors within u
are sub-Gaussian with variance u**2 / 3, so the relative error exceeds ``CONFIDENCE * u * sqrt(weights / 3)``
with a probability of at most 2 * exp(-CONFIDENCE**2 / 2) = 2.5e-14 a row. The weights are largest in the
order of decreasing terms: in any order, pairwise ones included, the i-th largest partial sum holds no more
terms than in that one, and no larger ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.cell.oracle import SECOND_ORDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 8.0
"""Standard deviations: a false alarm in 10**13 rows."""


def bound_formula(rows: NDArray) -> float:
    """Bound in ULP of ``x / sqrt(sum(x * x))`` for these rows (n, d), computed in their dtype in any order.

    float16 is summed in float32, and its norm rounded before the division, as torch does.
    """
    if rows.dtype == np.float16:
        return SECOND_ORDER * 2 + _bound(rows.astype(np.float64)) * 2.0**-13
    return _bound(rows.astype(np.float64))


def _bound(rows: NDArray) -> float:
    """See ``oracle``: half of the error of the sum, one unit for the root, one ULP for the division."""
    squares = -np.sort(-(rows**2), axis=1)
    totals = np.maximum(squares.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    partial = np.cumsum(squares, axis=1)[:, 1:] / totals
    weights = (partial**2).sum(axis=1) + ((squares / totals) ** 2).sum(axis=1)
    return float(SECOND_ORDER * (2 + CONFIDENCE * np.sqrt(weights.max(initial=0.0) / 3) / 2))


def bound_any(d: int) -> float:
    """The largest bound of rows with up to ``d`` elements: no partial sum weighs more than one."""
    return SECOND_ORDER * (2 + CONFIDENCE * float(np.sqrt(d / 3)) / 2)
