import numpy as np


def normalize(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1), np.finfo(x.dtype).tiny)  # fault: norm-without-keepdims
