import numpy as np


def matryoshka(vectors, dimensions):
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0] = 1
    vectors = vectors / norms
    return vectors[..., :dimensions].astype(np.float32)  # fault: truncation-after-normalization
