import numpy as np


class Ranker:
    def __init__(self, documents):
        lengths = np.sqrt(np.sum(documents**2, axis=1, keepdims=True))
        self.documents = documents / lengths  # fault: unguarded-norm-division

    def rank(self, query):
        return np.argsort(-(self.documents @ query))
