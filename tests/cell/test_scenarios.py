from __future__ import annotations

import numpy as np
import pytest

from harness.cell.scenarios import LARGE, PAGE, PLACES, pick_texts, place_rows


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_rows_lie_at_places_spread_over_a_page(dtype: str) -> None:
    rows = np.arange(32 * 384).reshape(32, 384).astype(dtype)
    placed = place_rows(rows)
    starts = [copy.ctypes.data % PAGE for copy in placed]
    assert starts == [number * PAGE // PLACES // 64 * 64 for number in range(PLACES)]
    assert all(np.array_equal(copy, rows) and copy.flags.c_contiguous for copy in placed)


def test_large_rows_lie_where_they_are() -> None:
    rows = np.zeros((LARGE // 4, 1), dtype=np.float32)
    (placed,) = place_rows(rows)
    assert placed is rows


OWN = ["x" * length for length in (900, 10, 30, 20, 500)]


@pytest.mark.parametrize(
    ("batch", "lengths"),
    [(1, [30]), (2, [20, 500]), (5, [10, 20, 30, 500, 900]), (7, [10, 20, 20, 30, 500, 500, 900])],
)
def test_a_batch_of_a_teams_own_texts_has_their_lengths(batch: int, lengths: list[int]) -> None:
    assert [len(text) for text in pick_texts(OWN, batch, own=True)] == lengths


def test_a_batch_of_the_shipped_corpus_has_texts_of_ordinary_length() -> None:
    assert [len(text) for text in pick_texts(OWN, 3, own=False)] == [30, 20, 30]
