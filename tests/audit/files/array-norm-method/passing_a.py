import numpy as np
import torch
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2")


def lengths(texts):
    tensor = model.encode(texts, convert_to_tensor=True)
    return tensor.norm(dim=1)


def array_lengths(texts):
    array = model.encode(texts)
    return np.linalg.norm(array, axis=1), torch.from_numpy(array).norm(dim=1)
