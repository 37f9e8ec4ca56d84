import numpy as np
from sentence_transformers.util import normalize_embeddings


def unit(vectors: np.ndarray):
    return normalize_embeddings(vectors).numpy()  # fault: normalize-embeddings-on-array
