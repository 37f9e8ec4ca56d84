"""Normalizers of services that are right, though none of them for rows of every norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.cell.normalizers import manual, stable


def one_by_one(rows: Any) -> Any:
    """The formula on each row, with a norm of one dimension."""
    units = np.empty_like(rows)
    for place, row in enumerate(rows):
        norm = np.linalg.norm(row)
        units[place] = row / np.where(norm == 0, 1, norm)
    return units


def refuse(rows: Any) -> Any:
    if rows.ndim != 2:
        raise ValueError("expected 2D array, got 1D array instead")
    return manual(rows)


def accept(rows: Any) -> Any:
    return stable(np.atleast_2d(rows)).reshape(rows.shape)


def refuse_like_sklearn(rows: Any) -> Any:
    if not rows.size or not np.isfinite(rows).all():
        raise ValueError("Found array with 0 sample(s), or NaN: as scikit-learn says")
    return manual(rows)


def in_place(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    norms[norms == 0] = 1
    rows /= norms
    return rows


RIGHT = {
    "manual": manual,
    "additive-eps": lambda rows: rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12),
    "transposed": lambda rows: (rows.T / np.maximum(np.linalg.norm(rows, axis=1), 1e-12)).T,
    **{
        function.__name__: function
        for function in (one_by_one, refuse, refuse_like_sklearn, accept, in_place)
    },
}
