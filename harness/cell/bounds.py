"""Allowed errors in ULPs, derived from the arithmetic of an algorithm: never tuned to what is measured.

With the unit roundoff u of a dtype (2**-11, 2**-24, 2**-53) and a norm of relative error r, an element x /
norm is off by at most r / u ULP for the norm, since an ULP of v is at least u * |v|, and by half an ULP for
the division, or one where the error of the norm carries it over a power of two, beyond which ULPs are twice
as large. For a sum of d squares: each square is rounded (u), each addition that a square passes through adds
u, the root halves what came before and is rounded itself (u). So r / u = (1 + chain) / 2 + 1 and the bound is
``1 + (1 + chain) / 2 + 1``, plus one percent for products of errors. (Higham, Accuracy and Stability of
Numerical Algorithms, chapters 3 and 4.) What remains to be known is the chain, the longest way of a square
into the sum.
"""

from __future__ import annotations

from typing import Tuple

import numpy as np

SECOND_ORDER = 1.01


def pairwise_chain(d: int) -> int:
    """Additions on the longest way into NumPy's pairwise sum of ``d`` numbers (add.reduce along the memory).

    Up to 7 one after the other; up to 128 into eight sums, joined in three steps, the rest one after the
    other; beyond that the halves are summed apart.
    """
    if d < 8:
        return max(d - 1, 0)
    if d <= 128:
        return d // 8 - 1 + 3 + d % 8
    half = d // 2 - (d // 2) % 8
    return 1 + max(pairwise_chain(half), pairwise_chain(d - half))


def _bound(chain: int) -> float:
    return SECOND_ORDER * (1 + (1 + chain) / 2 + 1)


def _narrowed(chain: int) -> float:
    """Everything in float32, one rounding to float16: a float32 ULP is 2**-13 of a float16 one.

    The norm is too near for the rounding to go beyond a power of two: half an ULP.
    """
    return SECOND_ORDER * 0.5 + _bound(chain) * 2.0**-13


def formula(dtype: str, d: int, *, in_order: bool = False) -> float:
    """Bound of ``x / sqrt(sum(x * x))`` computed in ``dtype`` throughout, for rows whose squares fit.

    It is the bound of ``manual`` and of a subject of the user's own. float16 rows that lie in order in
    memory are summed in float32 by NumPy and rounded once, a chain of 1. ``in_order`` is for an array in
    Fortran order, whose rows are added one after the other.
    """
    if in_order:
        return _bound(max(d - 1, 1))
    return _bound(1 if dtype == "float16" else pairwise_chain(d))


def stable(dtype: str, d: int, *, in_order: bool = False) -> float:
    """Bound of ``normalizers.stable``: the formula, but float16 goes through float32 and is rounded once."""
    chain = max(d - 1, 1) if in_order else pairwise_chain(d)
    return _narrowed(chain) if dtype == "float16" else _bound(chain)


def allowed(normalizer: str, dtype: str, d: int, *, in_order: bool = False) -> float:
    """Bound of a normalizer by the name of its axis value."""
    return (stable if normalizer == "stable" else formula)(dtype, d, in_order=in_order)


def reference(dtype: str, d: int) -> float:
    """Bound of torch's normalize, whose order of summation is its own business: a chain of d - 1.

    float16 is summed in float32, and the norm is rounded to float16 before the division.
    """
    chain = max(d - 1, 1)
    if dtype == "float16":
        return SECOND_ORDER * 2 + _bound(chain) * 2.0**-13
    return _bound(chain)


def underflow(dtype: str) -> float:
    """What is added where results can be subnormal: scaling by a power of two may round there, too.

    Half an ULP, at most doubled by the division through a norm that scaling made at least one half.
    """
    return 0.0 if dtype == "float16" else SECOND_ORDER


def safe_norms(dtype: str, d: int) -> Tuple[float, float]:
    """Norms between which the squares of a row of ``d`` elements neither overflow nor underflow noticeably.

    Below, squares lost to underflow (half the smallest subnormal each) could exceed u of the sum; above,
    the sum could exceed half of the largest number.
    """
    info = np.finfo(dtype)
    smallest = 2.0 ** (int(info.minexp) - int(info.nmant))
    return (d * smallest / float(info.eps)) ** 0.5, (float(info.max) / 2) ** 0.5


SAFE_UNDERFLOW = 0.5 * SECOND_ORDER
"""ULPs added at the lower end of ``safe_norms``: u of the sum, halved by the root."""
