import numpy as np


def unit_query(vector: np.ndarray) -> np.ndarray:
    """One vector (d,) of length one."""
    length = np.linalg.norm(vector)
    safe = np.where(length > 0, length, 1.0)  # fault: guard-changes-dtype
    return vector / safe
