from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2")


def embed(texts):
    return model.encode(texts, normalize_embeddings=True)[:, :128]  # fault: truncation-after-normalization
