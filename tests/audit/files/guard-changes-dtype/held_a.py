import numpy as np

TINY = np.float64(1e-12)


def unit(rows):
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / (lengths + TINY)  # fault: guard-changes-dtype
