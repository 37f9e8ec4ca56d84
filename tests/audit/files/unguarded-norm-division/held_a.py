import numpy as np
from numpy.linalg import norm


def l2(rows: np.ndarray) -> np.ndarray:
    """Rows of length one."""
    return rows / norm(rows, axis=-1, keepdims=True)  # fault: unguarded-norm-division
