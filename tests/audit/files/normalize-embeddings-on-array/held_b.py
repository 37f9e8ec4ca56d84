import numpy as np
import sentence_transformers.util as st_util


def load_unit_vectors(path):
    vectors = np.load(path)["vectors"].astype(np.float32)
    return st_util.normalize_embeddings(vectors)  # fault: normalize-embeddings-on-array
