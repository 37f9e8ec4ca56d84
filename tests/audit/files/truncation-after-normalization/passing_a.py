import torch.nn.functional as F
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2", truncate_dim=128)


def before(texts):
    return model.encode(texts, normalize_embeddings=True)


def then(hidden, size):
    return F.normalize(hidden[:, :size], dim=1)
