import numpy as np


def is_close(a, b):
    return abs(a - b) < np.finfo(np.float64).eps


def in_double(x):
    wide = x.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    return (wide / np.maximum(norms, np.finfo(np.float64).eps)).astype(x.dtype)


def exact(v):
    norm = np.linalg.norm(v)
    return v / norm if norm else v
