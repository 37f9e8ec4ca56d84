from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cell import normalization, normalizers, vectors
from harness.cell.normalizers import manual, stable
from harness.cell.oracle import compare, compare_zeros, normalize

DTYPES = ("float16", "float32", "float64")


@pytest.fixture(params=["as shipped", "few blocks", "many blocks"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with the sizes of the blocks, and with small ones, so that every way is taken by few rows."""
    if request.param != "as shipped":
        monkeypatch.setattr(normalizers, "FEW_HALVES", 1)
        monkeypatch.setattr(normalizers, "LONG", 16)
        monkeypatch.setattr(normalizers, "MANY", 1)
    if request.param == "many blocks":
        monkeypatch.setattr(normalizers, "HALVES", 100)
        monkeypatch.setattr(normalizers, "BLOCK", 100)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", vectors.VECTORS)
def test_stable_is_right_on_every_vector(name: str, dtype: str) -> None:
    found = normalization.measure("stable", stable, vectors.vectors(name, dtype))
    assert found.within, found


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "read-only"])
def test_stable_is_right_in_every_layout(layout: str, dtype: str) -> None:
    found = normalization.measure("stable", stable, vectors.laid_out(layout, dtype))
    assert found.within, found


@pytest.mark.parametrize("integer", ["int8", "uint8", "int32", "int64", "bool"])
@pytest.mark.parametrize("function", [manual, stable])
def test_integers_become_float64(function: normalization.Normalizer, integer: str) -> None:
    rows = np.array([[3, 4, 0], [0, 0, 0], [1, 1, 1]]).astype(integer)
    result = function(rows)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, normalize(rows).rounded(), rtol=4e-16, atol=0)


@pytest.mark.parametrize("shape", [(0, 384), (3, 0), (0, 0)])
@pytest.mark.parametrize("function", [manual, stable])
def test_nothing_in_nothing_out(function: normalization.Normalizer, shape: tuple[int, int]) -> None:
    result = function(np.zeros(shape, np.float16))
    assert (result.shape, result.dtype) == (shape, np.dtype("float16"))


@pytest.mark.parametrize("function", [manual, stable])
def test_one_vector_is_refused_alike(function: normalization.Normalizer) -> None:
    with pytest.raises(np.exceptions.AxisError, match=r"axis 1 is out of bounds for array of dimension 1$"):
        function(np.ones(384, np.float32))


@pytest.mark.parametrize("function", [manual, stable])
def test_a_row_alone_is_the_same_in_a_batch(function: normalization.Normalizer) -> None:
    for dtype in ("float32", "float64"):
        for width in (1, 7, 33, 384, 1000):
            rows = np.random.RandomState(width).standard_normal((300, width)).astype(dtype)
            alone = np.vstack([function(row[None, :]) for row in rows])
            np.testing.assert_array_equal(function(rows), alone)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (np.ones((2, 2), complex), "the dtype is complex128, but should be a real one"),
        (np.array([["a"]]), "the dtype is <U1, but"),
        (np.array([[None]]), "the dtype is object, but"),
        (np.zeros((2, 2), "V2"), r"the dtype is (\|V2|void16), but"),  # the kind of bfloat16 by ml_dtypes
        (np.ma.masked_equal(np.ones((2, 2)), 1), "the array is masked"),
    ],
)
def test_stable_refuses_what_is_not_real(wrong: np.ndarray, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        stable(wrong)


@pytest.mark.parametrize("rows", [1, 5, 700])
@pytest.mark.parametrize("dtype", DTYPES)
def test_another_byte_order_is_native_in_the_result(dtype: str, rows: int) -> None:
    given = np.resize(vectors.vectors("mixed", dtype), (rows, 16))
    swapped = given.astype(given.dtype.newbyteorder("S"))
    found = stable(swapped)
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, stable(given))


def test_a_list_is_an_array_of_float64() -> None:
    assert stable([[3, 4], [0, 0]]).tolist() == [[0.6, 0.8], [0, 0]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 5000])
def test_results_are_new_memory_in_the_order_of_the_input(dtype: str, count: int) -> None:
    rows = np.zeros((count, 16), dtype)
    rows[:, 0] = 1  # unit rows, which are right as they are
    rows.flags.writeable = False
    for laid_out in (rows, np.asfortranarray(rows), rows[::-1, ::-1]):
        found = stable(laid_out)
        assert found.flags.writeable
        assert found.base is None or found.base.flags.owndata
        assert min(found.strides) > 0
        assert not np.shares_memory(found, rows)
        np.testing.assert_array_equal(found, laid_out)
    assert stable(np.asfortranarray(rows)).flags.f_contiguous


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_batch_is_normalized_as_its_rows_are(dtype: str, order: str) -> None:
    rows = np.asarray(vectors.vectors("mixed", dtype), order=order)
    row_by_row = np.vstack([stable(row[None, :]) for row in np.ascontiguousarray(rows)])
    whole = stable(rows)
    assert whole.dtype == rows.dtype
    np.testing.assert_allclose(whole, row_by_row, rtol=4 * np.finfo(dtype).eps, atol=6e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_rows_are_divided_as_each_alone_and_the_buffer_stays(dtype: str) -> None:
    """Rows above the sizes from which the buffer of NumPy is set for the division."""
    count = 2 * normalizers.MANY // normalizers.LONG
    rows = np.random.RandomState(2).standard_normal((count, normalizers.LONG + 1)).astype(dtype)
    rows[[0, 7]] = 0
    before = np.setbufsize(4096)
    try:
        whole = stable(rows)
        assert np.getbufsize() == 4096
    finally:
        np.setbufsize(before)
    np.testing.assert_array_equal(whole, np.vstack([stable(row[None]) for row in rows]))


def test_every_half_is_right_beside_small_and_large_ones() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    for other in (0, 6e-8, 1e-3, 1, 300, 65504):
        rows = np.stack([halves, np.full(2**16, other, np.float16)], axis=1)
        exact = normalize(rows)
        assert compare(stable(rows), exact, 0.5005).within
        assert compare_zeros(stable(rows), exact).within


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 16, 33, 384]), st.sampled_from(DTYPES))
@settings(max_examples=60, deadline=None)
def test_any_bits_are_normalized(seed: int, width: int, dtype: str) -> None:
    """Rows of every magnitude, and enough of them for every way through the code."""
    size = 2**14 // width * width
    bits = np.random.RandomState(seed).bytes(size * np.dtype(dtype).itemsize)
    rows = np.frombuffer(bits, dtype).reshape(-1, width)
    with np.errstate(all="ignore"):  # of the oracle, for signalling NaNs
        exact = normalize(rows)
        found = compare(stable(rows), exact, normalization.allowed("stable", rows, exact))
    assert found.within, found
    assert compare_zeros(stable(rows), exact).within


def test_halves_are_right_where_subnormals_are_flushed_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """``min / 2`` is 0 there; here the smallest number is replaced by 0, and the casts of NumPy are used."""
    rows = np.resize(vectors.vectors("subnormal", "float16"), (5000, 16))
    right = stable(rows)
    monkeypatch.setattr(normalizers, "_unit_halves", None)
    monkeypatch.setattr(sys, "float_info", SimpleNamespace(min=0.0))
    np.testing.assert_allclose(stable(rows), right, rtol=1e-3, atol=6e-8)


def test_manual_breaks_where_it_is_known_to() -> None:
    rows = np.array([[300, 300], [1e-4, 1e-4], [0, 0]], np.float16)
    with np.errstate(over="ignore"):
        assert manual(rows).tolist() == [[0, 0], [1.0001659393310547e-04] * 2, [0, 0]]
    assert stable(rows).tolist() == [[0.70703125] * 2, [0.70703125] * 2, [0, 0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_stable_leaves_its_input_alone(dtype: str) -> None:
    rows = vectors.vectors("mixed", dtype)
    before = rows.tobytes()
    result = normalization.call(stable, rows)
    assert rows.tobytes() == before
    assert not np.shares_memory(result, rows)


@pytest.mark.usefixtures("blocks")
def test_stable_warns_of_nothing() -> None:
    for name in vectors.VECTORS:
        for dtype in DTYPES:
            rows = vectors.vectors(name, dtype)
            with np.errstate(all="raise"):
                stable(rows)


def test_numpy_1_is_silenced_by_its_own_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made here of what NumPy 2 has, so the state is the dict of ``geterr``, and 0 ignores all."""
    monkeypatch.setattr(normalizers, "GET_ERRORS", lambda: [np.getbufsize(), np.geterr(), None])
    monkeypatch.setattr(normalizers, "SET_ERRORS", lambda state: np.seterr(**(state[1] or {"all": "ignore"})))
    huge = vectors.vectors("huge", "float32")
    with np.errstate(all="raise"):
        before = np.geterr()
        found = stable(huge)
        assert np.geterr() == before
        monkeypatch.setattr(normalizers, "_unit_rows", None)
        with pytest.raises(TypeError, match="not callable"):
            stable(huge)
        assert np.geterr() == before
    assert np.isfinite(found).all()
