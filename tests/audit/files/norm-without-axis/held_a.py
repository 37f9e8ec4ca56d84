import numpy as np
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2")


def embed(texts):
    embeddings = model.encode(texts)
    length = np.linalg.norm(embeddings)  # fault: norm-without-axis
    if length == 0:
        return embeddings
    return embeddings / length
