"""What the property checks draw: enough rows that are not zero, in the range that they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

from harness.cell import explored
from harness.cell.normalizers import stable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy

DTYPES = ("float16", "float32", "float64")


@pytest.fixture(autouse=True)
def same_examples_everywhere() -> Iterator[None]:
    settings.register_profile("same", derandomize=True, database=None)
    settings.load_profile("same")
    explored.draw_examples.cache_clear()
    yield
    explored.draw_examples.cache_clear()
    settings.load_profile("default")


@pytest.mark.parametrize("draw", [explored.safe_rows, explored.finite_rows])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nine_of_ten_examples_have_a_row_that_is_not_zero(
    dtype: str, draw: Callable[[str], SearchStrategy[np.ndarray]]
) -> None:
    search = explored.Search("stable", stable, 0.0)
    examples = explored.draw_examples(draw, dtype)
    for rows in examples:
        assert rows.dtype == dtype
        kept = explored.safe(rows) if draw is explored.safe_rows else rows
        search.try_rows(kept)
    drawn = examples[len(explored.KEPT[dtype]) :]
    assert draw is explored.finite_rows or all(len(explored.safe(rows)) == len(rows) for rows in drawn)
    facts = search.fields()["facts"]
    assert facts["examples"] >= 100
    assert facts["examples_with_a_row_that_is_not_zero"] >= 0.9 * facts["examples"]


def test_a_search_without_rows_shows_nothing() -> None:
    search = explored.Search("stable", stable, 0.0)
    for place in range(10):
        search.try_rows(np.full((1, 2), float(place > 1)))
    with pytest.raises(RuntimeError, match="only 8 of 10 examples have a row that is not zero"):
        search.fields()
