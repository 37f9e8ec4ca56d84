import numpy as np


def floats(x):
    return np.asarray(x, dtype=np.float32)


def cast(x):
    return np.array(x).astype(np.float32, copy=False)
