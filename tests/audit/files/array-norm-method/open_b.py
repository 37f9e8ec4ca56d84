import numpy as np


def length(vector: np.ndarray) -> float:
    return float(vector.norm())  # fault: array-norm-method
