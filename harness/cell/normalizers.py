"""The two normalizers of the harness: the common manual formula, and the recommended ``stable``.

The module needs NumPy alone; without ``manual`` it can be pasted into a service.
"""

from __future__ import annotations

import math
import sys
from typing import Any, ContextManager, Optional

import numpy as np

BLOCK = 2**20
"""Elements per block in ``stable``, so intermediate arrays stay small."""

HALVES = 2**16
"""Elements per block of float16, whose intermediate arrays of 32 bits stay in the cache."""

FEW_HALVES = 2**12
"""Elements of float16 below which the casts of NumPy are faster than moving bits."""

LONG = 384
"""Elements per row from which NumPy divides rows where they lie faster than through its buffer."""

MANY = 2**17
"""Elements from which that saves more time than setting the buffer takes."""

VECDOT = getattr(np, "vecdot", None)  # new in NumPy 2.0

GET_ERRORS: Any = getattr(np, "geterrobj", None)  # these two are gone in NumPy 2.0
SET_ERRORS: Any = getattr(np, "seterrobj", None)


def manual(embeddings: np.ndarray) -> np.ndarray:
    """Normalize by the common formula: divide each row by its L2 norm, with zero norms replaced by one.

    Args:
        embeddings: array of shape (n, d), any real dtype; integers come back as float64.

    Returns:
        Array of the same shape and, for floats, the same dtype. Rows whose squares overflow become zeros,
        and rows whose squares underflow stay unnormalized. A NaN makes its row NaN; in a row with an
        infinity the infinities become NaN and the rest zero.

    Raises:
        numpy.exceptions.AxisError: fewer than two dimensions.
    """
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    norms = np.where(norms == 0, 1, norms)
    return embeddings / norms


def stable(embeddings: np.ndarray) -> np.ndarray:
    """Normalize each row in its own dtype, right for rows of any norm: zero, subnormal, tiny, huge or mixed.

    float16 is computed in float32 and rounded once. Other dtypes use the plain sum of squares where it is
    safe; only the other rows are scaled by a power of two. NumPy warns of nothing, whatever its settings.

    Args:
        embeddings: array of shape (n, d), any real dtype and byte order; integers come back as float64. Never
            modified. Where a thread flushes subnormals to zero, those of float32 and float64 count as zeros.

    Returns:
        New array of the same shape and, for floats, the same dtype in native byte order. Zero rows stay zero
        with their signs. A NaN makes its row NaN; in a row with an infinity the infinities become NaN and the
        rest zero, as in ``manual``.

    Raises:
        numpy.exceptions.AxisError: not two dimensions.
        TypeError: the dtype is not one of NumPy's real ones, or the array is masked.
    """
    if isinstance(embeddings, np.ma.MaskedArray):
        raise TypeError("the array is masked: fill or drop its masked elements first")
    given = np.asarray(embeddings)
    if given.ndim != 2:
        errors = getattr(np, "exceptions", np)  # their place in NumPy before 1.25
        raise errors.AxisError(1, given.ndim, "an array of shape (n, d) is needed")
    kind = given.dtype.kind
    if kind not in "fiub":
        raise TypeError(f"the dtype is {given.dtype}, but should be a real one of NumPy: convert to float32")
    if kind != "f":
        given = given.astype(np.float64)
    elif not given.dtype.isnative:
        given = given.astype(given.dtype.newbyteorder("="))
    normalize, step = _unit_rows, BLOCK
    if given.itemsize == 2:
        # Half of the smallest normal number is zero where the thread flushes subnormals.
        usable = given.size >= FEW_HALVES and sys.float_info.min / 2 > 0
        normalize, step = (_unit_halves, HALVES) if usable else (_unit_widened, BLOCK)
    # Both put back the size of the buffer, too.
    silence: ContextManager[None] = _Silence() if GET_ERRORS else np.errstate(all="ignore")
    with silence:
        # In Fortran order a block of rows is scattered over the memory.
        if given.size <= step or given.strides[0] < given.strides[1]:
            return normalize(given)
        step = max(1, step // given.shape[1])
        units = np.empty_like(given)
        for start in range(0, len(given), step):
            normalize(given[start : start + step], units[start : start + step])
    return units


class _Silence:
    """Do what ``np.errstate(all="ignore")`` does in NumPy 1, where that is a third of the time of one row."""

    def __enter__(self) -> None:
        self.usual = GET_ERRORS()  # of this thread: size of the buffer, what to do about errors, function
        SET_ERRORS([self.usual[0], 0, None])

    def __exit__(self, *_: object) -> None:
        SET_ERRORS(self.usual)


def _sum_squares(rows: np.ndarray) -> np.ndarray:
    """Sums of squares (k, 1) of rows (k, d), the same for a row in any batch; by BLAS if it can."""
    if rows.strides[1] != rows.itemsize:
        return np.asarray(np.add.reduce(rows * rows, axis=1, keepdims=True))
    if len(rows) == 1:
        return np.dot(rows, rows.T)
    if VECDOT is not None:
        return np.asarray(VECDOT(rows, rows)[:, None])
    return np.asarray(np.matmul(rows[:, None, :], rows[:, :, None])[:, 0])


def _unit_rows(rows: np.ndarray, units: Optional[np.ndarray] = None) -> np.ndarray:
    """Normalize rows (k, d) of floats, into ``units`` if given."""
    sums = _sum_squares(rows)
    # Below the floor, underflow of squares would change the last bit of the norm.
    floor = 1e-24 if sums.itemsize == 4 else 1e-290
    least = most = 0.0
    if len(sums) == 1:
        least = most = sums.item()
    elif len(sums):
        # These two stop at a NaN, and take less time than min and max.
        least, most = sums.item(sums.argmin()), sums.item(sums.argmax())
    if floor < least and most < math.inf:
        return _divided(rows, np.sqrt(sums), units)
    safe = (sums > floor) & (sums < math.inf)
    norms = np.sqrt(np.where(safe, sums, sums.dtype.type(1)))
    units = _divided(rows, norms, units)
    unsafe = np.flatnonzero(~safe)
    left = rows if len(unsafe) == len(rows) else rows[unsafe]
    filled = (left != 0).any(axis=1)
    if filled.any():
        units[unsafe[filled]] = _rescaled(left[filled])
    return units


def _divided(rows: np.ndarray, norms: np.ndarray, units: Optional[np.ndarray]) -> np.ndarray:
    """Divide rows (k, d) by norms (k, 1), into ``units`` if given.

    Where rows are shorter than the buffer of NumPy (8192 elements), it writes each norm d times into the
    buffer to divide several rows at once, which takes nearly as long as the division.
    """
    cast = units is not None and units.dtype != rows.dtype  # is made in the buffer
    in_place = rows.size >= MANY and rows.shape[1] >= LONG and not cast
    if in_place:
        usual = np.setbufsize(LONG)  # of this thread
    divided = np.divide(rows, norms, out=units, casting="same_kind")
    if in_place:
        np.setbufsize(usual)  # sums would be added in another order
    return np.asarray(divided)


def _rescaled(rows: np.ndarray) -> np.ndarray:
    """Normalize rows (k, d) that are not zero, each first scaled by a power of two to a peak of 0.5 to 1."""
    peaks = np.abs(rows).max(axis=1, keepdims=True)
    exponents = np.frexp(np.where(np.isfinite(peaks), peaks, 1))[1]
    scaled = np.ldexp(rows, -exponents)
    norms = np.sqrt(_sum_squares(scaled))
    norms[norms == 0] = 1  # subnormals that the thread flushes to zero
    return np.asarray(scaled / norms)


def _unit_widened(rows: np.ndarray, units: Optional[np.ndarray] = None) -> np.ndarray:
    """Normalize rows (k, d) of float16 by the casts of NumPy."""
    return _unit_rows(rows.astype(np.float32), np.empty_like(rows) if units is None else units)


def _unit_halves(rows: np.ndarray, units: Optional[np.ndarray] = None) -> np.ndarray:
    """Normalize rows (k, d) of float16 by moving their bits, ten times as fast as the casts of NumPy.

    The bits of a half without its sign, 13 places to the left, are those of a float32 that is smaller by
    2**112. On the way back, half of the last place is added before the others are dropped: a quotient just
    between two halves is rounded up, where a cast rounds to the even one.
    """
    bits = rows.view(np.uint16)
    magnitudes = bits & 0x7FFF
    wide = magnitudes.astype(np.uint32)
    wide <<= 13
    numbers = wide.view(np.float32)
    numbers *= np.float32(2.0**96)  # not 112, or the norm of large halves overflows below
    norms = np.maximum(_sum_squares(numbers), np.float32(1e-30))  # that of the smallest half is 8e-25
    np.sqrt(norms, out=norms)
    norms *= np.float32(2.0**112)
    numbers /= norms
    wide += 0x1000
    wide >>= 13
    signed = bits & 0x8000
    signed |= wide.astype(np.uint16)
    found = signed.view(np.float16)
    if magnitudes.size and magnitudes.item(magnitudes.argmax()) >= 0x7C00:  # NaN or inf
        unusual = (magnitudes >= 0x7C00).any(axis=1)
        found[unusual] = _unit_widened(rows[unusual])
    if units is None:
        return found
    units[...] = found
    return units
