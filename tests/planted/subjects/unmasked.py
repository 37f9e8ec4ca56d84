"""An embedder that takes the mean over padding too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.cell.embedder import OpenVinoEmbedder

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Embedder:
    def __init__(self, model_dir: str) -> None:
        self._right = OpenVinoEmbedder(model_dir)

    def __call__(self, texts: list[str]) -> NDArray:
        if not texts:
            return self._right([])
        return np.asarray(self._right.infer(self._right.tokenize(texts)).mean(axis=1))
