from __future__ import annotations

from decimal import Context, Decimal, localcontext

import numpy as np
import pytest

from harness.cell import oracle

DTYPES = ("float16", "float32", "float64")
WIDE = Context(prec=1200, Emin=-999999, Emax=999999)


def due(row: np.ndarray) -> list[Decimal]:
    with localcontext(WIDE) as context:
        numbers = [Decimal(float(element)) for element in row]
        context.prec = 100
        norm = sum((number * number for number in numbers), Decimal(0)).sqrt()
        return [number / norm for number in numbers]


def value(exact: oracle.Exact, at: tuple[int, int]) -> Decimal:
    with localcontext(WIDE):
        both = Decimal(float(exact.high[at])) + Decimal(float(exact.low[at]))
        return both * Decimal(2) ** int(exact.exponent[at])


def any_rows(dtype: str, rows: int, d: int) -> np.ndarray:
    bits = np.random.RandomState(d).bytes(rows * d * np.dtype(dtype).itemsize)
    drawn = np.frombuffer(bits, dtype).reshape(rows, d)
    return np.where(np.isfinite(drawn), drawn, 1).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 2, 3, 5, 8])
def test_it_knows_100_bits_of_the_answer_over_the_whole_range(dtype: str, d: int) -> None:
    rows = any_rows(dtype, 12, d)
    exact = oracle.normalize(rows)
    with localcontext(WIDE):
        errors = [
            abs(value(exact, (i, j)) / right - 1)
            for i, row in enumerate(rows)
            for j, right in enumerate(due(row))
            if right
        ]
    assert max(errors) < Decimal(2) ** -100


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_rounds_to_the_nearest_number_of_the_dtype(dtype: str) -> None:
    rows = any_rows(dtype, 40, 4)
    rounded = oracle.normalize(rows).rounded()
    assert rounded.dtype == dtype
    for row, given in zip(rows, rounded, strict=True):
        for right, number in zip(due(row), given, strict=True):
            neighbours = [np.nextafter(number, np.array(side, dtype)) for side in (-np.inf, np.inf)]
            distances = [abs(Decimal(float(near)) - right) for near in neighbours]
            assert abs(Decimal(float(number)) - right) <= min(distances)


def test_zero_rows_keep_their_signs() -> None:
    rounded = oracle.normalize(np.array([[0.0, -0.0], [-0.0, 2.0]], np.float32)).rounded()
    assert rounded.tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert np.signbit(rounded).tolist() == [[False, True], [True, False]]


def test_rows_that_are_not_finite_follow_ieee_division() -> None:
    rows = np.array([[np.nan, 1, 2], [np.inf, -1, 2], [-np.inf, np.nan, 3], [3, 4, 0]], np.float32)
    expected = [[np.nan] * 3, [np.nan, -0.0, 0.0], [np.nan] * 3, [0.6, 0.8, 0.0]]
    np.testing.assert_array_equal(oracle.normalize(rows).rounded(), np.array(expected, np.float32))


def test_integers_are_due_in_float64() -> None:
    exact = oracle.normalize(np.array([[3, -4]], np.int8))
    assert (exact.dtype, exact.rounded().tolist()) == (np.dtype("float64"), [[0.6, -0.8]])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_in_nothing_out(shape: tuple[int, int]) -> None:
    assert oracle.normalize(np.zeros(shape, np.float16)).rounded().shape == shape


@pytest.mark.parametrize(
    ("dtype", "ulp"), [("float16", 2.0**-11), ("float32", 2.0**-24), ("float64", 2.0**-53)]
)
def test_an_ulp_is_the_spacing_below_one(dtype: str, ulp: float) -> None:
    exact = oracle.normalize(np.array([[1.0, 1.0]], dtype))
    assert np.ldexp(1.0, exact.ulp_exponent).tolist() == [[ulp, ulp]]


def test_an_ulp_of_a_subnormal_is_the_smallest_number() -> None:
    exact = oracle.normalize(np.array([[60000, 0.5]], np.float16))
    assert exact.ulp_exponent.tolist() == [[-11, -24]]
