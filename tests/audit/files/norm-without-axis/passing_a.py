import numpy as np
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2")


def batch(texts):
    embeddings = model.encode(texts)
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(norms == 0, 1, norms)


def one(text):
    vector = model.encode(text)
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector
