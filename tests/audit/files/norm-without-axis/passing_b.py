import numpy as np


def each(vectors):
    units = []
    for vector in vectors:
        norm = np.linalg.norm(vector)
        units.append(vector / norm if norm else vector)
    return np.stack(units)


def distance(embeddings, others):
    return np.linalg.norm(embeddings - others)


def error(batch, expected):
    """A relative error of whole matrices."""
    return np.linalg.norm(batch - expected) / max(np.linalg.norm(expected), 1.0)
