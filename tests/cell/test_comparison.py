"""Comparing embeddings and rankings, and pooling: small arrays in, whole values out."""

from __future__ import annotations

import numpy as np
import pytest

from harness.cell.comparison import compare, differing_queries, name_worst, unit_rows
from harness.cell.corpus import Sentence

SENTENCES = [Sentence(text, "plain") for text in ("one", "two", "three")]


def ring(*degrees: float) -> np.ndarray:
    """Unit vectors on a circle."""
    angles = np.radians(degrees)
    vectors: np.ndarray = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return vectors


def test_the_worst_element_is_found() -> None:
    actual = np.array([[1.0, 2.0], [3.0, 4.5]], dtype=np.float32)

    difference = compare(actual, np.array([[1.0, 2.25], [3.0, 4.0]]), allowed=0.3)

    assert (difference.worst, difference.index, difference.share) == (0.5, (1, 1), 0.25)
    assert difference.rows.tolist() == [0.25, 0.5]


@pytest.mark.parametrize("other", [0.0, np.inf])
def test_nan_equals_nothing_but_nan(other: float) -> None:
    nan = np.array([[np.nan, 1.0]])

    assert compare(nan, nan).worst == 0.0
    assert compare(nan, np.array([[other, 1.0]])).worst == np.inf
    assert compare(np.array([[other, 1.0]]), nan).worst == np.inf


def test_infinities_are_compared_by_sign() -> None:
    assert compare(np.array([[np.inf]]), np.array([[np.inf]])).worst == 0.0
    assert compare(np.array([[np.inf]]), np.array([[-np.inf]])).worst == np.inf


def test_shapes_are_compared_first() -> None:
    with pytest.raises(ValueError, match=r"^shape \(1, 2\), but should be \(2, 1\)$"):
        compare(np.zeros((1, 2)), np.zeros((2, 1)))


def test_an_empty_batch_is_equal_to_itself() -> None:
    assert compare(np.zeros((0, 3)), np.zeros((0, 3))).worst == 0.0


def test_zero_rows_stay_zero() -> None:
    assert unit_rows(np.array([[0, 0], [3, 4]], dtype=np.float16)).tolist() == [[0, 0], [0.6, 0.8]]


def test_the_worst_sentences_are_named() -> None:
    assert name_worst(np.array([0.0, 1e-3, 2.0]), SENTENCES) == "plain 2: three; plain 0.001: two"


def test_equal_embeddings_rank_alike() -> None:
    embeddings = ring(0, 10, 30, 70)

    assert differing_queries(embeddings, embeddings, tie=0.0, depth=2).tolist() == [0, 0, 0, 0]


def test_a_swap_of_neighbours_is_seen() -> None:
    wanted, found = ring(0, 10, -11, 90), ring(0, 12, -11, 90)

    swapped = differing_queries(found, wanted, tie=1e-4, depth=2)

    assert [bool(row) for row in swapped] == [True, False, False, False]
    assert swapped[0] == pytest.approx(np.cos(np.radians(10)) - np.cos(np.radians(11)))


def test_a_tie_is_no_swap() -> None:
    wanted, found = ring(0, 10, -11, 90), ring(0, 12, -11, 90)

    assert not differing_queries(found, wanted, tie=0.01, depth=2).any()


def test_nan_never_ranks_alike() -> None:
    broken = ring(0, 10, 30)
    broken[1] = np.nan

    assert differing_queries(broken, ring(0, 10, 30), tie=1.0, depth=1)[1] == np.inf
