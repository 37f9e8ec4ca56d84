"""From hidden states to one vector a text, in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pool(hidden: NDArray, mask: NDArray, mode: str) -> NDArray:
    """Pool hidden states over the tokens that the mask keeps.

    Args:
        hidden: float16 or float32, shape (n, t, h).
        mask: 1 for a token, 0 for padding, shape (n, t).
        mode: ``mean``, ``cls`` or ``max``.

    Returns:
        A new array of shape (n, h) in the dtype of ``hidden``; sums are float32 whatever that dtype, because
        256 tokens summed in float16 would lose three digits.
    """
    if mode == "cls":
        return hidden[:, 0].copy()
    if mode == "max":
        kept = np.where(mask[:, :, None] != 0, hidden, hidden.dtype.type(-np.inf))
        return kept.max(axis=1)
    if mode != "mean":
        raise ValueError(f"pooling {mode!r}, but should be mean, cls or max")
    weights = mask.astype(np.float32)[:, :, None]
    total = (hidden.astype(np.float32) * weights).sum(axis=1, dtype=np.float32)
    # A text without a single token (no special tokens either) is a zero vector, as in the reference.
    count = np.maximum(weights.sum(axis=1), np.float32(1e-9))
    return (total / count).astype(hidden.dtype)
