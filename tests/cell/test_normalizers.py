from __future__ import annotations

import numpy as np
import pytest

from harness.cell import normalization, vectors
from harness.cell.normalizers import BLOCK, manual, stable
from harness.cell.oracle import normalize

DTYPES = ("float16", "float32", "float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", vectors.VECTORS)
def test_stable_is_right_on_every_vector(name: str, dtype: str) -> None:
    found = normalization.measure("stable", stable, vectors.vectors(name, dtype))
    assert found.within, found


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


@pytest.mark.parametrize("wrong", [np.ones((2, 2), complex), np.array([["a"]]), np.array([[None]])])
def test_stable_refuses_what_is_not_real(wrong: np.ndarray) -> None:
    with pytest.raises(TypeError, match="Cannot cast"):
        stable(wrong)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_batch_is_normalized_as_its_rows_are(dtype: str, order: str) -> None:
    rows = np.asarray(np.tile(vectors.vectors("mixed", dtype), (40, 1)), order=order)
    assert len(rows) > 2 * BLOCK
    row_by_row = np.vstack([normalization.call(stable, row[None, :]) for row in np.ascontiguousarray(rows)])
    whole = normalization.call(stable, rows)
    assert whole.dtype == rows.dtype
    np.testing.assert_allclose(whole, row_by_row, rtol=4 * np.finfo(dtype).eps, atol=0)


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


def test_stable_warns_of_nothing_on_rows_that_can_be_squared() -> None:
    for name in ("typical", "zero", "mixed-zero", "subnormal", "tiny", "nan"):
        for dtype in DTYPES:
            with np.errstate(all="raise", under="ignore"):
                stable(vectors.vectors(name, dtype))
