"""The two normalizers of the harness: the common manual formula, and the recommended ``stable``.

The module needs NumPy only; ``stable`` and the two functions below it can be copied into a service.
"""

from __future__ import annotations

import math
from typing import Optional

import numpy as np

BLOCK = 256
"""Rows per block in ``stable``, so intermediate arrays stay in the cache."""


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
    safe, at the cost of ``manual``; only the other rows are scaled by a power of two.

    Args:
        embeddings: array of shape (n, d), any real dtype; integers come back as float64. Never modified.

    Returns:
        New array of the same shape and, for floats, the same dtype. Zero rows stay zero with their signs. A
        NaN makes its row NaN; in a row with an infinity the infinities become NaN and the rest zero, as in
        ``manual``. NumPy can warn of an overflow, as in ``manual`` (float32 norms beyond 1e19).

    Raises:
        numpy.exceptions.AxisError: not two dimensions.
        TypeError: the dtype is not real.
    """
    given = np.asarray(embeddings)
    if given.ndim != 2:
        errors = getattr(np, "exceptions", np)  # their place in NumPy before 1.25
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
    """Normalize rows (k, d) of floats, into ``units`` if given."""
    rows = given.astype(np.float32) if given.dtype == np.float16 else given
    squares = rows * rows
    sums = np.add.reduce(squares, axis=1, keepdims=True)
    if units is None:  # the memory of the squares is free again
        units = squares if rows is given else np.empty_like(given)
    # Below the floor, underflow of squares would change the last bit of the norm.
    floor = 1e-30 if sums.itemsize == 4 else 1e-290
    # argmin and argmax stop at a NaN, and take a tenth of the time of min and max on one row.
    if sums.size and floor < sums.item(sums.argmin()) and sums.item(sums.argmax()) < math.inf:
        np.divide(rows, np.sqrt(sums), out=units, casting="same_kind")
    else:
        safe = (sums > floor) & (sums < math.inf)
        np.divide(rows, np.sqrt(np.where(safe, sums, sums.dtype.type(1))), out=units, casting="same_kind")
        unsafe = ~safe[:, 0]
        units[unsafe] = _rescaled(rows[unsafe])
    return units


def _rescaled(rows: np.ndarray) -> np.ndarray:
    """Normalize rows (k, d) of any norm, each first scaled by a power of two to a peak of 0.5 to 1."""
    with np.errstate(all="ignore"):
        peak = np.abs(rows).max(axis=1, keepdims=True, initial=0)
        exponent = np.frexp(np.where(np.isfinite(peak), peak, 1))[1]
        scaled = np.ldexp(rows, -exponent)
        norms = np.sqrt(np.add.reduce(scaled * scaled, axis=1, keepdims=True))
        norms[norms == 0] = 1
        return np.asarray(scaled / norms)
