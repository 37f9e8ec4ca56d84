from sentence_transformers import SentenceTransformer, util

model = SentenceTransformer("all-MiniLM-L6-v2")
corpus = ["a", "b"]
embeddings = util.normalize_embeddings(model.encode(corpus))  # fault: normalize-embeddings-on-array
