from sentence_transformers import SentenceTransformer
from sentence_transformers.util import normalize_embeddings


class Index:
    def __init__(self, name):
        self.model = SentenceTransformer(name)

    def add(self, sentences):
        encoded = self.model.encode(sentences, convert_to_numpy=True)
        self.rows = normalize_embeddings(encoded)  # fault: normalize-embeddings-on-array
