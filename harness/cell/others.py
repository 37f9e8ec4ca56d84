"""The reference utility on arrays, and other normalizers in the field, each as a function of an array (n, d).

Torch and scikit-learn are imported when one is called, so that a cell without them says so case by case.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

import numpy as np

EPS = 1e-12
"""The guard that code in the field copies from torch."""


def _tensor(rows: np.ndarray) -> Any:
    """A tensor of a copy: torch takes neither negative strides nor, without a warning, read-only memory."""
    import torch  # noqa: PLC0415 - see above

    return torch.from_numpy(np.array(rows, order="K", copy=True))


def reference(rows: np.ndarray) -> np.ndarray:
    """``sentence_transformers.util.normalize_embeddings`` on the tensor of the same numbers."""
    from sentence_transformers.util import normalize_embeddings  # noqa: PLC0415 - see above

    return np.asarray(normalize_embeddings(_tensor(rows)).numpy())


def torch_functional(rows: np.ndarray) -> np.ndarray:
    """``torch.nn.functional.normalize`` with its defaults, which the reference calls."""
    from torch.nn.functional import normalize  # noqa: PLC0415 - see above

    return np.asarray(normalize(_tensor(rows), p=2, dim=1).numpy())


def torch_norm_formula(rows: np.ndarray) -> np.ndarray:
    """``t / t.norm(dim=1, keepdim=True)``: no guard."""
    tensor = _tensor(rows)
    return np.asarray((tensor / tensor.norm(dim=1, keepdim=True)).numpy())


def sklearn(rows: np.ndarray) -> np.ndarray:
    """``sklearn.preprocessing.normalize``.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from sklearn.preprocessing import normalize  # noqa: PLC0415 - see above

    return np.asarray(normalize(rows))


def additive_eps(rows: np.ndarray) -> np.ndarray:
    """``x / (norm + 1e-12)``."""
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + EPS))


def max_eps(rows: np.ndarray) -> np.ndarray:
    """``x / max(norm, 1e-12)``."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), EPS))


OTHERS: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "torch-functional": torch_functional,
    "sklearn": sklearn,
    "torch-norm-formula": torch_norm_formula,
    "additive-eps": additive_eps,
    "max-eps": max_eps,
}
