import numpy as np


def as_float32(vectors):
    return np.array(vectors, dtype=np.float32, copy=False, order="C")  # fault: array-copy-false
