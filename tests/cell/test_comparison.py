"""Comparing embeddings and rankings, and pooling: small arrays in, whole values out."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import numpy as np
import pytest

from harness.cell.comparison import (
    compare,
    differing_queries,
    find_distances,
    find_token_distances,
    name_worst,
    unit_rows,
)
from harness.cell.corpus import Sentence
from harness.cell.normalizers import manual, stable
from harness.matrix.read import shipped_matrices

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


@pytest.mark.parametrize("width", [64, 384, 1024])
def test_a_distance_depends_on_neither_width_nor_length_nor_the_largest_component(width: int) -> None:
    drawn = np.random.default_rng(1).standard_normal((40, width))
    outlier = drawn * np.where(np.arange(width) == 3, 30, 1)
    for rows in (drawn, outlier, 10 * drawn):
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        aside = rows[::-1] - rows * (rows[::-1] * rows).sum(axis=1, keepdims=True) / lengths**2
        moved = rows + 1e-3 * lengths * aside / np.linalg.norm(aside, axis=1, keepdims=True)
        assert find_distances(moved, rows) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("dtype", "factor", "distance"),
    [
        (np.float32, 1 + 2**-11, 2**-11),
        (np.float16, 1 + 2**-11, 0.0),  # the norm was rounded to float16
        (np.float16, 1 + 2**-8, 2**-8 - 2**-10),
    ],
)
def test_a_length_counts_beyond_the_rounding_of_a_float16_norm(
    dtype: type, factor: float, distance: float
) -> None:
    rows = np.array([[0.5, 0.25], [0.25, 0.125]], dtype)
    stretched = (rows.astype(np.float64) * factor).astype(np.float32)

    assert find_distances(stretched, rows) == pytest.approx(distance, abs=1e-7)


@pytest.mark.parametrize("width", [64, 384, 1024])
@pytest.mark.parametrize("normalize", [manual, stable])
def test_rounding_to_float16_is_told_from_float16_weights(
    width: int, normalize: Callable[[np.ndarray], np.ndarray]
) -> None:
    allowed = tomllib.loads((shipped_matrices() / "tolerances.toml").read_text())["tolerance"]["l2.float16"][
        "allowed"
    ]
    random = np.random.default_rng(width)
    rows = random.standard_normal((2000, width)) * random.uniform(0.1, 1, (2000, 1))
    units = unit_rows(rows)
    aside = random.standard_normal((2000, width)) / width**0.5
    rounded = normalize(rows.astype(np.float16))

    assert find_distances(rounded, units).max() < allowed
    wrong = normalize((units + 1.3e-3 * aside).astype(np.float16))
    assert (find_distances(wrong, units) > allowed).all()


def test_the_state_of_each_token_is_compared_by_itself() -> None:
    states = np.array([[[3.0, 4.0], [0.0, 0.0]], [[30.0, 40.0], [1.0, 0.0]]])
    moved = states.copy()
    moved[0, 0] = [3.0, 4.0003]
    moved[1, 1] = [1.0, 1e-3]

    found = find_token_distances(moved, states)

    assert found == pytest.approx(np.array([[6e-5, 0.0], [0.0, 1e-3]]), rel=0.01)


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
