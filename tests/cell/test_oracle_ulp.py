from __future__ import annotations

import math

import numpy as np
import pytest

from harness.cell import oracle

ROWS = np.array([[3, 4], [5, 12]], np.float32)
EXACT = oracle.normalize(ROWS)
RIGHT = EXACT.rounded()


def test_the_right_answer_is_within_half_an_ulp() -> None:
    found = oracle.compare(RIGHT, EXACT, 0.5)
    assert found.within
    assert (found.share, found.worst) == (0.0, (0, 0))


def test_a_neighbour_is_one_ulp_further() -> None:
    known = oracle.known(RIGHT, EXACT)
    beside = RIGHT.copy()
    beside[1, 0] = np.nextafter(beside[1, 0], np.float32(0))
    assert oracle.compare(beside, known, 0.5) == oracle.Difference(
        1.0, 0.5, (1, 0), 0.25, "0.384615362 where 0.384615391 is due"
    )


@pytest.mark.parametrize(
    ("actual", "sample"),
    [
        ([[0.6, 0.8]], "list, but should be an array"),
        (RIGHT[0], "shape (2,), but should be (2, 2)"),
        (RIGHT.astype(np.float64), "dtype float64, but should be float32"),
    ],
)
def test_form_comes_before_values(actual: object, sample: str) -> None:
    assert oracle.compare(actual, EXACT, 1) == oracle.Difference(math.inf, 1, sample=sample)


@pytest.mark.parametrize(
    ("wrong", "sample"),
    [
        (np.nan, "positions of NaN differ: nan where 0.8 is due"),
        (np.inf, "positions of inf differ: inf where 0.8 is due"),
        (-np.inf, "positions of -inf differ: -inf where 0.8 is due"),
    ],
)
def test_positions_of_what_is_no_number_come_before_values(wrong: float, sample: str) -> None:
    actual = RIGHT.copy()
    actual[0, 1] = wrong
    actual[1] = 0
    assert oracle.compare(actual, EXACT, 1) == oracle.Difference(math.inf, 1, (0, 1), 0.25, sample)


def test_nan_where_nan_is_due_is_right() -> None:
    exact = oracle.normalize(np.array([[np.nan, 1]], np.float32))
    assert oracle.compare(exact.rounded(), exact, 0) == oracle.Difference(
        0.0, 0, (0, 0), 0.0, "nan where nan is due"
    )


def test_an_empty_array_has_no_error() -> None:
    exact = oracle.normalize(np.zeros((0, 3), np.float32))
    assert oracle.compare(np.zeros((0, 3), np.float32), exact, 1) == oracle.Difference(0.0, 1)


def test_a_lost_sign_of_zero_is_counted() -> None:
    exact = oracle.normalize(np.array([[-0.0, 1.0, -0.0]], np.float32))
    found = oracle.compare_zeros(np.array([[0.0, 1.0, 0.0]], np.float32), exact)
    assert found == oracle.Difference(2.0, 0.0, (0, 0), 2 / 3, "0.0 where -0.0 is due")
    assert oracle.compare_zeros(exact.rounded(), exact) == oracle.Difference(0.0, 0.0)


def test_errors_too_large_for_a_float_are_cut() -> None:
    exact = oracle.normalize(np.array([[0.0, 0.0]]))
    assert exact.errors(np.array([[1.0, -1.0]])).tolist() == [[1e300, -1e300]]


@pytest.mark.parametrize(
    ("d", "chain"), [(1, 0), (7, 6), (8, 3), (9, 4), (128, 18), (129, 12), (384, 16), (4096, 23)]
)
def test_the_chain_of_a_pairwise_sum(d: int, chain: int) -> None:
    assert oracle.pairwise_chain(d) == chain


def test_the_chain_of_a_dot_product_is_that_of_its_kernel() -> None:
    chains = {d: oracle.dot_chain("float32", d) for d in (0, 1, 8, 31, 32, 33, 384, 1000)}
    assert chains == {0: 0, 1: 0, 8: 7, 31: 30, 32: 5, 33: 6, 384: 27, 1000: 73}
    assert oracle.dot_chain("float64", 384) == 50


def test_bounds_in_ulps() -> None:
    rounded = {
        (name, dtype): round(oracle.allowed(name, dtype, 384), 2)
        for name in ("manual", "stable")
        for dtype in ("float16", "float32")
    }
    assert rounded == {
        ("manual", "float16"): 3.03,
        ("manual", "float32"): 10.61,
        ("stable", "float16"): 0.51,
        ("stable", "float32"): 16.16,
    }
