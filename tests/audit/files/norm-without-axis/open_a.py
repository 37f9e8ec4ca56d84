import numpy as np


def normalize(embeddings):
    norm = np.linalg.norm(embeddings)  # fault: norm-without-axis
    return embeddings / norm if norm > 0 else embeddings
