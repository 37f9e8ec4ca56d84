"""Comparison of embeddings: differences by row, rankings, and the worst sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional, Sequence, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence


NAMED = 3
"""Number of worst sentences in a message."""


@dataclass(frozen=True)
class Difference:
    """The difference of two arrays with one row per text.

    Attributes:
        worst: largest absolute difference; NaN if positions of non-finite values differ.
        index: its position; share: share of all elements beyond ``allowed``.
        rows: the largest difference of each row, float64 (n,).
    """

    worst: float
    index: Tuple[int, ...]
    share: float
    rows: NDArray


def compare(actual: NDArray, expected: NDArray, allowed: float = 0.0) -> Difference:
    """Compare arrays of one shape (n, ...) element by element, in float64.

    Positions of NaN and infinities must be equal; otherwise the difference is infinite.

    Raises:
        ValueError: the shapes differ.
    """
    if actual.shape != expected.shape:
        raise ValueError(f"shape {actual.shape}, but should be {expected.shape}")
    left, right = actual.astype(np.float64), expected.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(left - right))
    apart = np.where(np.isnan(apart), np.inf, apart)
    if not apart.size:
        return Difference(0.0, (), 0.0, np.zeros(len(apart)))
    index = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return Difference(
        worst=float(apart[index]),
        index=tuple(int(position) for position in index),
        share=float(np.mean(apart > allowed)),
        rows=apart.reshape(len(apart), -1).max(axis=1),
    )


def unit_rows(embeddings: NDArray) -> NDArray:
    """Normalize rows in float64; zero rows are unchanged."""
    exact = embeddings.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    unit: NDArray = exact / np.where(norms == 0, 1.0, norms)
    return unit


FLOAT16_SPACING = 2.0**-10
"""Largest relative distance of two neighbouring float16 numbers: what rounding a norm to float16 can do."""


def find_distances(actual: NDArray, expected: NDArray) -> NDArray:
    """For each row (n, d) its distance from the expected one, relative to that, float64 (n,).

    That is the distance of the two directions, joined with the difference of the lengths. A norm that is
    rounded to float16 scales its whole row, so that lengths of float16 rows differ beyond ``FLOAT16_SPACING``
    only. A zero row has the length 1. A row with other positions of NaN or infinities is infinitely far.

    Raises:
        ValueError: the shapes differ.
    """
    if actual.shape != expected.shape:
        raise ValueError(f"shape {actual.shape}, but should be {expected.shape}")
    rounded = np.float16 in (actual.dtype, expected.dtype)
    left, right = actual.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(left).all(axis=1) & np.isfinite(right).all(axis=1)
    same = ((left == right) | (np.isnan(left) & np.isnan(right))).all(axis=1)
    left, right = (np.where(finite[:, None], rows, 0.0) for rows in (left, right))
    lengths, wanted = (np.linalg.norm(rows, axis=1) for rows in (left, right))
    directions = np.linalg.norm(unit_rows(left) - unit_rows(right), axis=1)
    stretched = np.abs(lengths - wanted) / np.where(wanted == 0, 1.0, wanted)
    stretched = np.maximum(stretched - (FLOAT16_SPACING if rounded else 0.0), 0.0)
    distances: NDArray = np.where(finite, np.hypot(directions, stretched), np.where(same, 0.0, np.inf))
    return distances


def find_token_distances(actual: NDArray, expected: NDArray) -> NDArray:
    """For the state of each token (n, t, h) its distance as by ``find_distances``, float64 (n, t)."""
    flat = (states.reshape(-1, states.shape[-1]) for states in (actual, expected))
    return find_distances(*flat).reshape(expected.shape[:2])


def choose_allowed(tolerance: Callable[[str], float], embeddings: NDArray, usual: str) -> float:
    """The tolerance of embeddings in the dtype that they have: float16 ones are rounded to it."""
    return tolerance("l2.float16" if embeddings.dtype == np.float16 else usual)


def cosines(actual: NDArray, expected: NDArray) -> NDArray:
    """Cosine of each pair of rows, float64 (n,)."""
    products: NDArray = (unit_rows(actual) * unit_rows(expected)).sum(axis=1)
    return products


def score(queries: NDArray, index: NDArray) -> NDArray:
    """Scores (n, n) of every row of ``queries`` for the rows of ``index``, in float64."""
    scores: NDArray = queries.astype(np.float64) @ index.astype(np.float64).T
    return scores


def score_others(embeddings: NDArray, index: Optional[NDArray] = None) -> NDArray:
    """Scores (n, n) of every row for all other rows, in float64; minus infinity for itself.

    ``index`` (n, d) holds the same texts as documents, where queries are embedded differently.
    """
    scores = score(embeddings, embeddings if index is None else index)
    np.fill_diagonal(scores, -np.inf)
    return scores


def rank(scores: NDArray, depth: int) -> NDArray:
    """The ``depth`` best rows for each query (n, depth).

    Equal scores keep the order of the rows, so a ranking is reproducible; NaN comes last.
    """
    ranked: NDArray = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return ranked


def find_swaps(found: NDArray, expected: NDArray, tie: float, depth: int) -> NDArray:
    """For each query the largest score difference of a swap in its top ``depth`` beyond ``tie``, else 0.

    Args:
        found: scores (n, n) that give the ranking.
        expected: scores (n, n) that give the expected one; rows whose scores differ by at most ``tie`` may
            swap.
        tie: largest difference of equal scores.
        depth: length of the rankings.
    """
    ranked, wanted = (np.take_along_axis(expected, rank(each, depth), 1) for each in (found, expected))
    same = (ranked == wanted) | (np.isnan(ranked) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        swapped = np.where(same, 0.0, np.abs(ranked - wanted))
    largest = np.where(np.isnan(swapped), np.inf, swapped).max(axis=1, initial=0.0)
    beyond: NDArray = np.where(largest > tie, largest, 0.0)
    return beyond


def differing_queries(  # noqa: PLR0913 - two sides, each with an index
    actual: NDArray,
    expected: NDArray,
    tie: float,
    depth: int = 10,
    *,
    index: Optional[NDArray] = None,
    expected_index: Optional[NDArray] = None,
) -> NDArray:
    """For each query the largest score difference of a swap in its top ``depth`` beyond ``tie``, else 0.

    Two rows swap as a tie if their expected scores differ by at most ``tie``. A row with NaN always has a
    different ranking. The indexes are those of ``score_others``.
    """
    scores = score_others(expected, expected_index)
    swapped = find_swaps(score_others(actual, index), scores, tie, depth)
    finite = np.isfinite(actual).all(axis=1)
    beyond: NDArray = np.where(finite, swapped, np.inf)
    return beyond


def name_worst(rows: NDArray, sentences: Sequence[Sentence]) -> str:
    """Name the sentences with the largest differences, worst first; empty without differences."""
    order = np.argsort(-rows, kind="stable")[:NAMED]
    named = [
        f"{sentences[row].kind} {rows[row]:.2g}: {sentences[row].shown}" for row in order if rows[row] > 0
    ]
    return "; ".join(named)
