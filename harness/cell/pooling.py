"""Pooling of hidden states in NumPy, as the newest sentence-transformers does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, Sequence

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_COUNT = np.float32(1e-9)
"""Divisor of a text without any token, which is a zero vector, as in the reference."""


def pool(hidden: NDArray, mask: NDArray, modes: Sequence[str] = ("mean",), *, skip: int = 0) -> NDArray:
    """Pool hidden states over the tokens that the mask keeps.

    Args:
        hidden: float16 or float32, shape (n, t, h).
        mask: 1 for a token, 0 for padding on either side, shape (n, t).
        modes: names of ``harness.cell.model_folder.POOLING_FLAGS``, whose results are concatenated.
        skip: number of first tokens of each text that are left out, those of a prompt.

    Returns:
        A new array of shape (n, h * modes) in the dtype of ``hidden``. Sums are float32, because float16 sums
        of 256 tokens would lose three digits.
    """
    kept = mask != 0
    start = np.argmax(kept, axis=1)[:, None]
    positions = np.arange(mask.shape[1])[None, :] - start
    kept &= positions >= skip
    return np.concatenate([_POOLINGS[mode](hidden, kept, positions) for mode in modes], axis=1)


def _pick(hidden: NDArray, at: NDArray) -> NDArray:
    picked: NDArray = hidden[np.arange(len(hidden)), at]
    return picked


def _first(hidden: NDArray, kept: NDArray, _: NDArray) -> NDArray:
    return _pick(hidden, np.argmax(kept, axis=1))


def _last(hidden: NDArray, kept: NDArray, _: NDArray) -> NDArray:
    last = kept.shape[1] - 1 - np.argmax(kept[:, ::-1], axis=1)
    none = ~kept.any(axis=1)
    picked: NDArray = np.where(none[:, None], hidden.dtype.type(0), _pick(hidden, last))
    return picked


def _largest(hidden: NDArray, kept: NDArray, _: NDArray) -> NDArray:
    largest: NDArray = np.where(kept[:, :, None], hidden, hidden.dtype.type(-np.inf)).max(axis=1)
    return largest


def _mean(hidden: NDArray, kept: NDArray, _: NDArray) -> NDArray:
    return _weigh(hidden, kept, lambda total: total)


def _mean_sqrt_length(hidden: NDArray, kept: NDArray, _: NDArray) -> NDArray:
    return _weigh(hidden, kept, np.sqrt)


def _weighted_mean(hidden: NDArray, kept: NDArray, positions: NDArray) -> NDArray:
    return _weigh(hidden, kept * (positions + 1), lambda total: total)


def _weigh(hidden: NDArray, weights: NDArray, divisor: Callable[[NDArray], NDArray]) -> NDArray:
    factors = weights.astype(np.float32)[:, :, None]
    total = (hidden.astype(np.float32) * factors).sum(axis=1, dtype=np.float32)
    count = np.maximum(factors.sum(axis=1), SMALLEST_COUNT)
    return (total / divisor(count)).astype(hidden.dtype)


_POOLINGS: Dict[str, Callable[[NDArray, NDArray, NDArray], NDArray]] = {
    "cls": _first,
    "max": _largest,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt_length,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
