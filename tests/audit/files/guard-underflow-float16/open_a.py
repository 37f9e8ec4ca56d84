import numpy as np


def normalize_half(embeddings):
    halves = embeddings.astype(np.float16)
    norms = np.linalg.norm(halves, axis=1, keepdims=True)
    return halves / np.maximum(norms, 1e-12)  # fault: guard-underflow-float16
