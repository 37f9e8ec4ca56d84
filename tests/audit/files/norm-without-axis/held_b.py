import numpy as np


def normalise(batch: np.ndarray) -> np.ndarray:
    """(n, d) to (n, d)."""
    scale = np.maximum(np.linalg.norm(batch, ord=2), 1e-6)  # fault: norm-without-axis
    return batch / scale
