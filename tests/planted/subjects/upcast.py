"""A normalizer that answers in float64 whatever it is given."""

from __future__ import annotations

import numpy as np


def normalize(embeddings: np.ndarray) -> np.ndarray:
    wide: np.ndarray = embeddings.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    units: np.ndarray = wide / np.where(norms == 0, 1, norms)
    return units
