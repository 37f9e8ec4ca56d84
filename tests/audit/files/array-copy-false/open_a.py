import numpy as np


def floats(x):
    return np.array(x, dtype=np.float32, copy=False)  # fault: array-copy-false
