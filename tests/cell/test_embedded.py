"""Texts are handed over in slices that are not sorted, at a bounded cost, and come back in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from planted.cell_world import Embedder

from harness.cell.corpus import load_corpus
from harness.cell.embedded import SLICE, embed_in_slices, slice_texts

TEXTS = [sentence.text for sentence in load_corpus("")]


@pytest.mark.parametrize("number", [1, 2, 7, 8, 9, 16, 57, len(TEXTS)])
def test_rows_come_back_in_the_order_of_the_texts(number: int) -> None:
    assert np.array_equal(embed_in_slices(Embedder(), TEXTS[:number]), Embedder()(TEXTS[:number]))


def test_neither_slices_nor_their_texts_are_sorted() -> None:
    slices = [[len(TEXTS[row]) for row in rows] for rows in slice_texts(TEXTS)]
    ordered = [each for each in slices if each in (sorted(each), sorted(each, reverse=True))]
    assert len(ordered) <= 1
    longest = [max(each) for each in slices]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))
    assert max(map(len, slices)) == SLICE


def test_most_slices_hold_a_short_text_and_padding_stays_bounded() -> None:
    def cost(slices: Any) -> int:
        return sum(len(rows) * max(len(TEXTS[row]) for row in rows) for rows in slices)

    slices = slice_texts(TEXTS)
    shortest = sorted(map(len, TEXTS))[len(TEXTS) // SLICE]
    assert sum(min(len(TEXTS[row]) for row in rows) <= shortest for rows in slices) >= len(slices) - 2
    by_length = sorted(range(len(TEXTS)), key=lambda row: -len(TEXTS[row]))
    in_order = [by_length[start : start + SLICE] for start in range(0, len(TEXTS), SLICE)]
    assert cost(slices) < 1.25 * cost(in_order) < cost([list(range(len(TEXTS)))]) / 4


def test_a_missing_row_is_told() -> None:
    with pytest.raises(ValueError, match=r"the embedder returns \d+ rows for 20 texts"):
        embed_in_slices(lambda texts: Embedder()(texts)[1:], TEXTS[:20])
