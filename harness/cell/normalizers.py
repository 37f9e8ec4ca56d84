"""The two normalizers of the harness: the formula in the field, and the one that the report recommends.

NumPy alone, so that ``stable`` and the two functions below it can be pasted into a service as it stands.
"""

from __future__ import annotations

import math
from typing import Optional

import numpy as np

BLOCK = 256
"""Rows that are worked on at a time in ``stable``: the numbers in between stay in the cache."""


def manual(embeddings: np.ndarray) -> np.ndarray:
    """Normalize as services do by hand: L2 norm of each row, zero norms replaced by one, then a division.

    Args:
        embeddings: array of shape (n, d), any real dtype; integers come back as float64.

    Returns:
        Array of the same shape and, for floats, the same dtype. Rows whose squares overflow come back as
        zeros, rows whose squares underflow unnormalized; a NaN makes its row NaN; of a row with an infinity
        the infinities become NaN and the rest zero.

    Raises:
        numpy.exceptions.AxisError: fewer than two dimensions.
    """
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    norms = np.where(norms == 0, 1, norms)
    return embeddings / norms


def stable(embeddings: np.ndarray) -> np.ndarray:
    """Normalize each row in its own dtype, right for rows of any norm: zero, subnormal, tiny, huge or mixed.

    float16 is computed in float32 and rounded once. For the rest the sum of squares is taken as it is where
    it is safe, which costs no more than ``manual``; only rows where it is not are scaled by a power of two.

    Args:
        embeddings: array of shape (n, d), any real dtype; integers come back as float64. Never modified.

    Returns:
        New array of the same shape and, for floats, the same dtype. Zero rows stay zero with their signs; a
        NaN makes its row NaN; of a row with an infinity the infinities become NaN and the rest zero, as in
        ``manual``. As there NumPy can warn of an overflow on the way (float32 norms beyond 1e19).

    Raises:
        numpy.exceptions.AxisError: not two dimensions.
        TypeError: no real numbers.
    """
    given = np.asarray(embeddings)
    if given.ndim != 2:
        errors = getattr(np, "exceptions", np)  # where NumPy before 1.25 has them
        raise errors.AxisError(1, given.ndim, "an array of shape (n, d) is needed")
    if given.dtype.kind != "f":
        given = given.astype(np.float64, casting="same_kind")
    if len(given) <= BLOCK:
        return _unit_rows(given)
    units = np.empty_like(given)
    for start in range(0, len(given), BLOCK):
        _unit_rows(given[start : start + BLOCK], units[start : start + BLOCK])
    return units


def _unit_rows(given: np.ndarray, units: Optional[np.ndarray] = None) -> np.ndarray:
    """Normalize rows (k, d) of floats, into ``units`` if there is one."""
    rows = given.astype(np.float32) if given.dtype == np.float16 else given
    squares = rows * rows
    sums = np.add.reduce(squares, axis=1, keepdims=True)
    if units is None:  # the memory of the squares is free by now
        units = squares if rows is given else np.empty_like(given)
    # Below the floor the squares that underflow would be seen in the last bit of the norm.
    floor = 1e-30 if sums.itemsize == 4 else 1e-290
    # argmin and argmax stop at a NaN, and cost a tenth of what min and max cost on one row.
    if sums.size and floor < sums.item(sums.argmin()) and sums.item(sums.argmax()) < math.inf:
        np.divide(rows, np.sqrt(sums), out=units, casting="same_kind")
    else:
        safe = (sums > floor) & (sums < math.inf)
        np.divide(rows, np.sqrt(np.where(safe, sums, sums.dtype.type(1))), out=units, casting="same_kind")
        unsafe = ~safe[:, 0]
        units[unsafe] = _rescaled(rows[unsafe])
    return units


def _rescaled(rows: np.ndarray) -> np.ndarray:
    """Normalize rows (k, d) of any size, each first scaled by a power of two so that its peak is 0.5 to 1."""
    with np.errstate(all="ignore"):
        peak = np.abs(rows).max(axis=1, keepdims=True, initial=0)
        exponent = np.frexp(np.where(np.isfinite(peak), peak, 1))[1]
        scaled = np.ldexp(rows, -exponent)
        norms = np.sqrt(np.add.reduce(scaled * scaled, axis=1, keepdims=True))
        norms[norms == 0] = 1
        return np.asarray(scaled / norms)
