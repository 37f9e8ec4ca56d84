import numpy as np


def normalize_embeddings(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def index(rows: np.ndarray) -> np.ndarray:
    return normalize_embeddings(rows)
