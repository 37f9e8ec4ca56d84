import torch
from sentence_transformers import SentenceTransformer, util

model = SentenceTransformer("all-MiniLM-L6-v2")


def unit(texts):
    tensor = model.encode(texts, convert_to_tensor=True)
    return util.normalize_embeddings(tensor)


def unit_array(texts):
    array = model.encode(texts)
    return util.normalize_embeddings(torch.from_numpy(array)).numpy()
