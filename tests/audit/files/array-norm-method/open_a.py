from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2")


def embed(texts):
    embeddings = model.encode(texts)
    return embeddings / embeddings.norm(dim=1, keepdim=True)  # fault: array-norm-method
