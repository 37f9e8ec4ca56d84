"""The oracle: normalization to about 100 bits, comparison in ULPs, and derived rounding bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Optional, Tuple

import numpy as np

Pair = Tuple[np.ndarray, np.ndarray]
"""A number as the unevaluated sum of two float64, the first being the sum rounded."""

SPLIT = 134217729.0  # 2**27 + 1: cuts a float64 into halves of 26 bits whose products are exact
LOWEST = -1000  # below this power of two every dtype has long ended (the smallest float64 is 2**-1074)


def two_sum(a: np.ndarray, b: np.ndarray) -> Pair:
    """Add without error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: np.ndarray, b: np.ndarray) -> Pair:
    """Multiply without error, as long as nothing overflows or underflows."""
    product = a * b
    a_high = SPLIT * a - (SPLIT * a - a)
    b_high = SPLIT * b - (SPLIT * b - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _sum(high: np.ndarray, low: np.ndarray) -> Pair:
    """Sum over the last axis, kept, in pairs: the error is a few 2**-104 of the sum of squares."""
    while high.shape[1] > 1:
        half, odd = divmod(high.shape[1], 2)
        total, rest = two_sum(high[:, :half], high[:, half : 2 * half])
        total, rest = two_sum(total, rest + (low[:, :half] + low[:, half : 2 * half]))
        if odd:
            total, rest = np.hstack([total, high[:, -1:]]), np.hstack([rest, low[:, -1:]])
        high, low = total, rest
    return high, low


def _root(high: np.ndarray, low: np.ndarray) -> Pair:
    """Square root of numbers > 0."""
    root = np.sqrt(high)
    square, rest = two_product(root, root)
    return two_sum(root, ((high - square) - rest + low) / (2 * root))


def _quotient(number: np.ndarray, divisor: Pair) -> Pair:
    """Number / divisor."""
    quotient = number / divisor[0]
    product, rest = two_product(quotient, divisor[0])
    return two_sum(quotient, ((number - product) - rest - quotient * divisor[1]) / divisor[0])


@dataclass(frozen=True)
class Exact:
    """An array known to far more than float64: (high + low) * 2**exponent, element by element.

    ``dtype`` is the one in which an answer is due, ``high`` carries NaN, inf and the signs of zeros;
    ``spacing`` holds powers of two to measure by instead of the spacing at these values.
    """

    high: np.ndarray
    low: np.ndarray
    exponent: np.ndarray
    dtype: np.dtype
    spacing: Optional[np.ndarray] = None

    @property
    def ulp_exponent(self) -> np.ndarray:
        """Power of two of the spacing of ``dtype`` at each value, subnormals included."""
        if self.spacing is not None:
            return self.spacing
        info = np.finfo(self.dtype)
        smallest = int(info.minexp) - int(info.nmant)
        magnitude = np.frexp(np.where(np.isfinite(self.high), self.high, 0))[1] + self.exponent
        spacing = np.maximum(magnitude - (int(info.nmant) + 1), smallest)
        return np.asarray(np.where(self.high == 0, smallest, spacing))

    def errors(self, actual: np.ndarray) -> np.ndarray:
        """Signed errors of ``actual`` in ULPs of ``dtype``, float64; only where both are finite.

        An error too large for a float64 is cut to 1e300.
        """
        with np.errstate(all="ignore"):
            scaled = np.ldexp(actual.astype(np.float64), -self.exponent)
            off = (scaled - self.high) - self.low
            return np.asarray(np.clip(np.ldexp(off, self.exponent - self.ulp_exponent), -1e300, 1e300))

    def rounded(self) -> np.ndarray:
        """The values rounded to nearest in ``dtype``: the right answer."""
        with np.errstate(all="ignore"):
            nearest = np.ldexp(self.high, self.exponent).astype(self.dtype)
            # That rounds twice; where it fell on the wrong side of a tie the neighbour is nearer.
            off = np.where(np.isfinite(self.high), self.errors(np.nan_to_num(nearest)), 0)
            towards = np.where(off > 0, -np.inf, np.inf).astype(self.dtype)
            return np.asarray(np.where(np.abs(off) > 0.5, np.nextafter(nearest, towards), nearest))


def known(values: np.ndarray, like: Exact) -> Exact:
    """Take floats as exact, to measure distances from them in the ULPs of the right answer ``like``.

    An ULP of a wrong number (0 where 0.7 is due) would say nothing.
    """
    same = values.shape == like.high.shape and values.dtype == like.dtype
    zeros = np.zeros(values.shape)
    spacing = like.ulp_exponent if same else None
    return Exact(values.astype(np.float64), zeros, zeros.astype(np.intc), values.dtype, spacing)


def _scaled(rows: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Rows with their peak between 0.5 and 1, and the power of two that was taken out, of shape (n, 1)."""
    peak = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    exponent = np.frexp(peak)[1]
    return np.ldexp(rows, -exponent), exponent


def norms(rows: np.ndarray) -> Tuple[Pair, np.ndarray]:
    """Norms of finite rows (n, d), 1 for zero rows: a pair (n, 1) and the power of two to multiply it by."""
    scaled, exponent = _scaled(rows.astype(np.float64))
    if not rows.shape[1]:
        return (np.ones((len(rows), 1)), np.zeros((len(rows), 1))), exponent
    high, low = _sum(*two_product(scaled, scaled))
    return _root(np.where(high == 0, 1, high), low), exponent


def normalize(embeddings: np.ndarray) -> Exact:
    """Normalize rows as mathematics has it.

    Args:
        embeddings: array of shape (n, d); integers are taken as float64, and the answer is due in that.

    Returns:
        Zero rows as they are, with their signs. A NaN makes its row NaN; of a row with an infinity the
        infinities become NaN and the rest zeros of their sign, as the formula has it in IEEE arithmetic.
    """
    dtype = embeddings.dtype if embeddings.dtype.kind == "f" else np.dtype(np.float64)
    values = embeddings.astype(np.float64)
    finite = np.isfinite(values).all(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        rows = np.where(finite, values, 0)
        root, row_exponent = norms(rows)
        mantissa, exponent = np.frexp(rows)
        high, low = _quotient(mantissa, root)
        total = exponent - row_exponent
        kept = np.maximum(total, LOWEST)
        high, low = np.ldexp(high, total - kept), np.ldexp(low, total - kept)
        unfit = np.where(np.isnan(values).any(axis=1, keepdims=True) | np.isinf(values), np.nan, 0)
        high = np.copysign(np.where(finite, high, unfit), values)
    return Exact(high, np.where(finite, low, 0), np.where(finite, kept, 0), dtype)


# Comparing an array with what is due: shape, dtype, positions of NaN and inf, and then values, in ULPs.


@dataclass(frozen=True)
class Difference:
    """How far an array is from what is due.

    Attributes:
        value: worst error in ULPs of the dtype that is due; inf where shape, dtype, NaN or inf already
        differ. worst: index of the worst element; empty where there is none. share: share of elements
        beyond what is allowed (or in the wrong place). sample: what is there and what should be, in words.
        allowed: what ``value`` may be.
    """

    value: float
    allowed: float
    worst: Tuple[int, ...] = ()
    share: float = 0.0
    sample: str = ""

    @property
    def within(self) -> bool:
        """Whether it is what is due."""
        return self.value <= self.allowed


def _first(mask: np.ndarray) -> Tuple[int, ...]:
    return tuple(int(index) for index in np.argwhere(mask)[0])


def _misplaced(
    actual: np.ndarray, due: np.ndarray, allowed: float, kind: str, test: Callable[[np.ndarray], np.ndarray]
) -> Difference:
    """Where ``test`` holds for one and not for the other; ``within`` if nowhere."""
    wrong = test(actual) != test(due)
    if not wrong.any():
        return Difference(0.0, allowed)
    at = _first(wrong)
    sample = f"{kind} differ: {actual[at]!s} where {due[at]!s} is due"
    return Difference(math.inf, allowed, at, float(wrong.mean()), sample)


def compare(actual: object, exact: Exact, allowed: float) -> Difference:
    """Compare an array with an exact one, ``allowed`` in ULPs."""
    if not isinstance(actual, np.ndarray):
        return Difference(math.inf, allowed, sample=f"{type(actual).__name__}, but should be an array")
    if actual.shape != exact.high.shape:
        return Difference(math.inf, allowed, sample=f"shape {actual.shape}, but should be {exact.high.shape}")
    if actual.dtype != exact.dtype:
        return Difference(math.inf, allowed, sample=f"dtype {actual.dtype}, but should be {exact.dtype}")
    for kind, test in (
        ("positions of NaN", np.isnan),
        ("positions of inf", np.isposinf),
        ("positions of -inf", np.isneginf),
    ):
        found = _misplaced(actual, exact.high, allowed, kind, test)
        if not found.within:
            return found
    return _values(actual, exact, allowed)


def element_errors(actual: np.ndarray, exact: Exact) -> np.ndarray:
    """Errors in ULPs without sign; 0 where nothing finite is due, inf where something is and is not there."""
    with np.errstate(all="ignore"):
        errors = np.abs(exact.errors(np.where(np.isfinite(actual), actual, 0)))
    errors = np.where(np.isfinite(actual), errors, math.inf)
    return np.asarray(np.where(np.isfinite(exact.high), errors, 0.0))


def _values(actual: np.ndarray, exact: Exact, allowed: float) -> Difference:
    errors = element_errors(actual, exact)
    if not errors.size:
        return Difference(0.0, allowed)
    at = np.unravel_index(int(errors.argmax()), errors.shape)
    worst = tuple(int(index) for index in at)
    due = np.ldexp(exact.high[at], exact.exponent[at])
    sample = f"{float(actual[at]):.9g} where {float(due):.9g} is due"
    return Difference(float(errors[at]), allowed, worst, float((errors > allowed).mean()), sample)


def compare_zeros(actual: np.ndarray, exact: Exact) -> Difference:
    """Count the zeros that came back as another number or with another sign; none is allowed.

    Exact zeros come from zeros only, so there is nothing to round.
    """
    wrong = (exact.high == 0) & ((actual != 0) | (np.signbit(actual) != np.signbit(exact.high)))
    if not wrong.any():
        return Difference(0.0, 0.0)
    at = _first(wrong)
    sample = f"{float(actual[at])} where {float(exact.high[at])} is due"
    return Difference(float(wrong.sum()), 0.0, at, float(wrong.mean()), sample)


# Allowed errors in ULPs, derived from the arithmetic of an algorithm: never tuned to what is measured.
#
# With the unit roundoff u of a dtype (2**-11, 2**-24, 2**-53) and a norm of relative error r, an element x
# / norm is off by at most r / u ULP for the norm, since an ULP of v is at least u * |v|, and by half an ULP
# for the division, or one where the error of the norm carries it over a power of two, beyond which ULPs are
# twice as large. For a sum of d squares: each square is rounded (u), each addition that a square passes
# through adds u, the root halves what came before and is rounded itself (u). So r / u = (1 + chain) / 2 + 1
# and the bound is ``1 + (1 + chain) / 2 + 1``, plus one percent for products of errors. (Higham, Accuracy
# and Stability of Numerical Algorithms, chapters 3 and 4.) What remains to be known is the chain, the
# longest way of a square into the sum.

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
