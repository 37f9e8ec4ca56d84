"""What the property checks draw: enough rows that are not zero, in the range that they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from harness.cell import explored
from harness.cell.normalizers import stable

DTYPES = ("float16", "float32", "float64")


@pytest.mark.parametrize("draw", [explored.safe_rows, explored.finite_rows])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nine_of_ten_examples_have_a_row_that_is_not_zero(dtype: str, draw: object) -> None:
    search = explored.Search("stable", stable, 0.0)

    @settings(max_examples=100, database=None, derandomize=True)
    @given(draw(dtype))  # type: ignore[operator]
    def explore(rows: np.ndarray) -> None:
        assert rows.dtype == dtype
        kept = explored.safe(rows) if draw is explored.safe_rows else rows
        assert draw is explored.finite_rows or len(kept) == len(rows)  # all are within the range
        search.try_rows(kept)

    explore()
    facts = search.fields()["facts"]
    assert facts["examples"] >= 100
    assert facts["examples_with_a_row_that_is_not_zero"] >= 0.9 * facts["examples"]


def test_a_search_without_rows_shows_nothing() -> None:
    search = explored.Search("stable", stable, 0.0)
    for place in range(10):
        search.try_rows(np.full((1, 2), float(place > 1)))
    with pytest.raises(RuntimeError, match="only 8 of 10 examples have a row that is not zero"):
        search.fields()
