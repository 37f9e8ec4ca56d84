import numpy as np


def unit(vector):
    norm = np.linalg.norm(vector)
    if norm == 0:
        return vector
    return vector / norm


def short(vector):
    norm = np.sqrt(np.sum(np.square(vector)))
    return vector / norm if norm else vector


def cosine(a, b):
    size = np.linalg.norm(a) * np.linalg.norm(b)
    if size > 0:
        return float(a @ b / size)
    return 0.0


def ratio(difference, size):
    """The norm is divided, and divides nothing."""
    return np.linalg.norm(difference) / size


def either(a, b):
    left = np.linalg.norm(a)
    right = np.linalg.norm(b)
    if left == 0 or right == 0:
        return 0.0
    return a @ b / (left * right)
