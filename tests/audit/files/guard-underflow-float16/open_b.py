import numpy as np

EPS = 1e-8


def read(path):
    rows = np.load(path).astype(np.float16)
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + EPS)  # fault: guard-underflow-float16
