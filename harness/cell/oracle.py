"""The oracle: normalization to about 100 bits, comparison in ULPs, and derived rounding bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Optional, Tuple

import numpy as np

Pair = Tuple[np.ndarray, np.ndarray]
"""A number as the unevaluated sum of two float64; the first is the rounded sum."""

SPLIT = 134217729.0  # 2**27 + 1: splits a float64 into halves of 26 bits with exact products
LOWEST = -1000  # exponent of two below the range that matters (the smallest float64 is 2**-1074)


def two_sum(a: np.ndarray, b: np.ndarray) -> Pair:
    """Add without error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: np.ndarray, b: np.ndarray) -> Pair:
    """Multiply without error, provided that nothing overflows or underflows."""
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
    """An array in extended precision: (high + low) * 2**exponent, element by element.

    ``dtype`` is the dtype of the expected result; ``high`` has NaN, inf and the signs of zeros; ``spacing``
    optionally holds the exponents of the ULPs to use.
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

        An error beyond float64 is reported as 1e300.
        """
        with np.errstate(all="ignore"):
            scaled = np.ldexp(actual.astype(np.float64), -self.exponent)
            off = (scaled - self.high) - self.low
            return np.asarray(np.clip(np.ldexp(off, self.exponent - self.ulp_exponent), -1e300, 1e300))

    def rounded(self) -> np.ndarray:
        """The values rounded to nearest in ``dtype``, which is the right result."""
        with np.errstate(all="ignore"):
            nearest = np.ldexp(self.high, self.exponent).astype(self.dtype)
            # This rounds twice; next to a tie the neighbour can be nearer.
            off = np.where(np.isfinite(self.high), self.errors(np.nan_to_num(nearest)), 0)
            towards = np.where(off > 0, -np.inf, np.inf).astype(self.dtype)
            return np.asarray(np.where(np.abs(off) > 0.5, np.nextafter(nearest, towards), nearest))


def known(values: np.ndarray, like: Exact) -> Exact:
    """Treat floats as exact, to measure distances from them in ULPs of the right result ``like``.

    ULPs of a wrong number (0 instead of 0.7) would be meaningless.
    """
    same = values.shape == like.high.shape and values.dtype == like.dtype
    zeros = np.zeros(values.shape)
    spacing = like.ulp_exponent if same else None
    return Exact(values.astype(np.float64), zeros, zeros.astype(np.intc), values.dtype, spacing)


def _scaled(rows: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Scale rows to a peak between 0.5 and 1; with the removed exponents of two, of shape (n, 1)."""
    peak = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    exponent = np.frexp(peak)[1]
    return np.ldexp(rows, -exponent), exponent


def norms(rows: np.ndarray) -> Tuple[Pair, np.ndarray]:
    """Norms of finite rows (n, d), 1 for zero rows: a pair (n, 1) and its exponents of two."""
    scaled, exponent = _scaled(rows.astype(np.float64))
    if not rows.shape[1]:
        return (np.ones((len(rows), 1)), np.zeros((len(rows), 1))), exponent
    high, low = _sum(*two_product(scaled, scaled))
    return _root(np.where(high == 0, 1, high), low), exponent


def normalize(embeddings: np.ndarray) -> Exact:
    """Normalize rows exactly.

    Args:
        embeddings: array of shape (n, d); integers are converted to float64, also in the result.

    Returns:
        Zero rows stay unchanged, with their signs. A NaN makes its row NaN; in a row with an infinity the
        infinities become NaN and the rest zeros of their sign, as in IEEE arithmetic.
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


# Comparison with the right result: shape, dtype, positions of NaN and inf, then values in ULPs


@dataclass(frozen=True)
class Difference:
    """The difference between an array and the right result.

    Attributes:
        value: worst error in ULPs of the expected dtype; inf if shape, dtype or positions of NaN or inf
        differ. worst: index of the worst element, or empty. share: share of elements beyond the tolerance
        (or in a wrong position). sample: actual and expected value as text. allowed: the tolerance.
    """

    value: float
    allowed: float
    worst: Tuple[int, ...] = ()
    share: float = 0.0
    sample: str = ""

    @property
    def within(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.value <= self.allowed


def _first(mask: np.ndarray) -> Tuple[int, ...]:
    return tuple(int(index) for index in np.argwhere(mask)[0])


def _misplaced(
    actual: np.ndarray, due: np.ndarray, allowed: float, kind: str, test: Callable[[np.ndarray], np.ndarray]
) -> Difference:
    """The difference in positions of ``test``; ``within`` if there is none."""
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
    """Absolute errors in ULPs; 0 if the expected value is not finite, inf if only the actual one is not."""
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
    """Count zeros with a changed value or sign; none is allowed.

    Exact zeros come from zeros only, so no rounding is involved.
    """
    wrong = (exact.high == 0) & ((actual != 0) | (np.signbit(actual) != np.signbit(exact.high)))
    if not wrong.any():
        return Difference(0.0, 0.0)
    at = _first(wrong)
    sample = f"{float(actual[at])} where {float(exact.high[at])} is due"
    return Difference(float(wrong.sum()), 0.0, at, float(wrong.mean()), sample)


# Bounds in ULPs, derived from the arithmetic of each algorithm, never fitted to measurements
#
# Let u be the unit roundoff of a dtype (2**-11, 2**-24, 2**-53) and r the relative error of the norm. The
# error of an element x / norm has two parts. The norm contributes at most r / u ULP, since an ULP of v is at
# least u * |v|. The division contributes half an ULP, or one ULP if the error of the norm crosses a power of
# two, where ULPs double. For a sum of d squares, each square is rounded (u), each addition that a square
# passes through adds u, and the root halves the error so far and is rounded itself (u). So r / u =
# (1 + chain) / 2 + 1, and the bound is ``1 + (1 + chain) / 2 + 1``, plus one percent for products of errors.
# (Higham, Accuracy and Stability of Numerical Algorithms, chapters 3 and 4.) The chain is the largest number
# of additions that a square passes through.

SECOND_ORDER = 1.01


def pairwise_chain(d: int) -> int:
    """Longest chain of additions in the pairwise sum of ``d`` numbers in NumPy (contiguous add.reduce).

    Up to 7 numbers are added in sequence. Up to 128 are added into eight sums, joined in three steps, and
    the rest in sequence. More numbers are split into halves.
    """
    if d < 8:
        return max(d - 1, 0)
    if d <= 128:
        return d // 8 - 1 + 3 + d % 8
    half = d // 2 - (d // 2) % 8
    return 1 + max(pairwise_chain(half), pairwise_chain(d - half))


def dot_chain(dtype: str, d: int) -> int:
    """Longest chain of additions in a dot product of ``d`` numbers by BLAS.

    The kernels of OpenBLAS, MKL and Accelerate have at least four registers of 128 bits, each lane of which
    adds its share of the numbers. They join the lanes, and add the rest of at most 31 numbers in sequence.
    """
    lanes = 8 if dtype == "float64" else 16
    whole, rest = divmod(d, 32)
    joined = whole * 32 // lanes - 1 + lanes.bit_length() - 1 if whole else -1
    return max(joined + rest, 0)


def _bound(chain: int) -> float:
    return SECOND_ORDER * (1 + (1 + chain) / 2 + 1)


def _narrowed(chain: int) -> float:
    """Bound for float32 arithmetic and one rounding to float16; a float32 ULP is 2**-13 float16 ULP.

    The norm is too exact for the rounding to cross a power of two, so the division adds half an ULP.
    """
    return SECOND_ORDER * 0.5 + _bound(chain) * 2.0**-13


def formula(dtype: str, d: int, *, in_order: bool = False) -> float:
    """Bound of ``x / sqrt(sum(x * x))`` computed entirely in ``dtype``, for rows whose squares fit.

    It is the bound of ``manual`` and of a subject of the user. NumPy sums contiguous float16 rows in float32
    and rounds once, a chain of 1. ``in_order`` is for arrays in Fortran order, whose rows are added in
    sequence.
    """
    if in_order:
        return _bound(max(d - 1, 1))
    return _bound(1 if dtype == "float16" else pairwise_chain(d))


def stable(dtype: str, d: int, *, in_order: bool = False) -> float:
    """Bound of ``normalizers.stable``: sums by BLAS, with float16 computed in float32 and rounded once."""
    chain = max(d - 1, 1) if in_order else max(dot_chain(dtype, d), pairwise_chain(d))
    return _narrowed(chain) if dtype == "float16" else _bound(chain)


def allowed(normalizer: str, dtype: str, d: int, *, in_order: bool = False) -> float:
    """Bound of the normalizer with this axis value."""
    return (stable if normalizer == "stable" else formula)(dtype, d, in_order=in_order)


def reference(dtype: str, d: int) -> float:
    """Bound of torch's normalize, whose order of summation is unspecified: a chain of d - 1.

    float16 is summed in float32, and the norm is rounded to float16 before the division.
    """
    chain = max(d - 1, 1)
    if dtype == "float16":
        return SECOND_ORDER * 2 + _bound(chain) * 2.0**-13
    return _bound(chain)


def underflow(dtype: str) -> float:
    """Additional bound for subnormal results, where scaling by a power of two may round too.

    It is half an ULP, at most doubled by the division by a norm that scaling made at least one half.
    """
    return 0.0 if dtype == "float16" else SECOND_ORDER


def safe_norms(dtype: str, d: int) -> Tuple[float, float]:
    """Range of norms in which squares of a row of ``d`` elements neither overflow nor underflow noticeably.

    Below it, squares lost to underflow (half the smallest subnormal each) could exceed u of the sum; above
    it, the sum could exceed half of the largest number.
    """
    info = np.finfo(dtype)
    smallest = 2.0 ** (int(info.minexp) - int(info.nmant))
    return (d * smallest / float(info.eps)) ** 0.5, (float(info.max) / 2) ** 0.5


SAFE_UNDERFLOW = 0.5 * SECOND_ORDER
"""ULPs added at the lower end of ``safe_norms``: u of the sum, halved by the root."""
