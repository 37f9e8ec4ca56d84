"""Comparing embeddings: differences row by row, rankings, and the names of the worst sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Sequence, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence


NAMED = 3
"""How many of the worst sentences a message names."""


@dataclass(frozen=True)
class Difference:
    """How far two arrays of one row a text are apart.

    Attributes:
        worst: largest absolute difference; NaN where the two disagree about what is finite.
        index: where it is; share: the part of all elements beyond ``allowed``.
        rows: the largest difference of each row, float64 (n,).
    """

    worst: float
    index: Tuple[int, ...]
    share: float
    rows: NDArray


def compare(actual: NDArray, expected: NDArray, allowed: float = 0.0) -> Difference:
    """Compare arrays of one shape (n, ...) element by element, in float64.

    Positions of NaN and infinities must be the same; where they are not, the difference is infinite.

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
    """Rows of length one in float64, zero rows left as they are: normalization beyond doubt."""
    exact = embeddings.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    unit: NDArray = exact / np.where(norms == 0, 1.0, norms)
    return unit


def cosines(actual: NDArray, expected: NDArray) -> NDArray:
    """Cosine of each pair of rows, float64 (n,)."""
    products: NDArray = (unit_rows(actual) * unit_rows(expected)).sum(axis=1)
    return products


def rank(embeddings: NDArray, depth: int) -> Tuple[NDArray, NDArray]:
    """Each row as a query against the others: scores (n, n), float64, and the ``depth`` nearest (n, depth).

    Equal scores keep the order of the rows, so that a ranking is the same wherever it is computed.
    """
    scores = embeddings.astype(np.float64) @ embeddings.astype(np.float64).T
    np.fill_diagonal(scores, -np.inf)
    return scores, np.argsort(-scores, axis=1, kind="stable")[:, :depth]


def differing_queries(actual: NDArray, expected: NDArray, tie: float, depth: int = 10) -> NDArray:
    """Which queries have another top ``depth``: of each row the largest score swapped beyond ``tie``, else 0.

    A different row at a rank is a tie, and fine, when the expected score of the one is within ``tie`` of the
    expected score of the other. A row with NaN never has the same ranking.
    """
    scores, wanted = rank(expected, depth)
    found = rank(actual, depth)[1]
    swapped = np.abs(np.take_along_axis(scores, found, 1) - np.take_along_axis(scores, wanted, 1)).max(axis=1)
    swapped = np.where(np.isfinite(actual).all(axis=1), swapped, np.inf)
    beyond: NDArray = np.where(swapped > tie, swapped, 0.0)
    return beyond


def name_worst(rows: NDArray, sentences: Sequence[Sentence]) -> str:
    """The sentences with the largest differences, worst first; nothing where there is no difference."""
    order = np.argsort(-rows, kind="stable")[:NAMED]
    named = [
        f"{sentences[row].kind} {rows[row]:.2g}: {sentences[row].shown}" for row in order if rows[row] > 0
    ]
    return "; ".join(named)
