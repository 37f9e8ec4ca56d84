"""The oracle: normalization to about 100 bits, independent of subject, reference and long double.

A number is the unevaluated sum of two float64 (double-double), and every row and element is scaled by a
power of two first, so nothing overflows and nothing is lost. Error-free products after Dekker (1971), sums
after Knuth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

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
