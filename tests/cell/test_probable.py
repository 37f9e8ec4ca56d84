"""The probable bound of a sum: above what orders of summation really do, far below the bound for certain."""

from __future__ import annotations

import numpy as np
import pytest

from harness.cell import oracle
from harness.cell.probable import bound_any, bound_formula


def in_sequence(rows: np.ndarray) -> np.ndarray:
    total = np.zeros(len(rows), rows.dtype)
    for column in rows.T:
        total = total + column * column
    return rows / np.sqrt(total)[:, None]


def in_lanes(rows: np.ndarray) -> np.ndarray:
    squares = (rows * rows).reshape(len(rows), -1, 8)
    total = np.zeros((len(rows), 8), rows.dtype)
    for part in np.moveaxis(squares, 1, 0):
        total = total + part
    return rows / np.sqrt(total.sum(axis=1))[:, None]


def decreasing(rows: np.ndarray) -> np.ndarray:
    ordered = np.take_along_axis(rows, np.argsort(-np.abs(rows), axis=1), 1)
    back = np.argsort(np.argsort(-np.abs(rows), axis=1), axis=1)
    return np.take_along_axis(in_sequence(ordered), back, 1)


@pytest.mark.parametrize("order", [in_sequence, in_lanes, decreasing])
@pytest.mark.parametrize("d", [64, 384, 1024])
def test_no_order_of_summation_breaks_the_bound(order: object, d: int) -> None:
    rows = np.random.default_rng(d).standard_normal((2000, d)).astype(np.float32)
    allowed = bound_formula(rows)
    found = oracle.compare(order(rows), oracle.normalize(rows), allowed)  # type: ignore[operator]

    assert found.within
    assert allowed < bound_any(d) * 1.001
    if d == 384:
        assert allowed < oracle.reference("float32", d) / 4


def test_an_error_of_fifty_units_is_beyond_the_bound() -> None:
    rows = np.random.default_rng(1).standard_normal((500, 384)).astype(np.float32)
    wrong = (in_lanes(rows).astype(np.float64) * (1 + 50 * 2.0**-23)).astype(np.float32)

    assert not oracle.compare(wrong, oracle.normalize(rows), bound_formula(rows)).within
