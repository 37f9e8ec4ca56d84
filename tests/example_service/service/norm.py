"""Vectors of length one, as this team writes them."""

from __future__ import annotations

import numpy as np

ROWS = 1024  # at a time: the float64 copy of a large batch would be many times its size


def to_unit(vectors: np.ndarray) -> np.ndarray:
    """Scale each row to length one in its own dtype; zero rows stay zero."""
    units: np.ndarray = np.empty(vectors.shape, vectors.dtype if vectors.dtype.kind == "f" else np.float64)
    for start in range(0, len(vectors), ROWS):
        units[start : start + ROWS] = _scale(vectors[start : start + ROWS].astype(np.float64))
    return units


def _scale(wide: np.ndarray) -> np.ndarray:
    _, exponent = np.frexp(np.abs(wide).max(axis=1, keepdims=True, initial=0))
    scaled = np.ldexp(wide, -exponent)  # the largest component near one: its square is safe in any row
    lengths = np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
    lengths[lengths == 0] = 1
    units: np.ndarray = scaled / lengths
    return units
