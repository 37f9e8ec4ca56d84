import numpy as np


class Store:
    def add(self, vectors):
        n = np.linalg.norm(vectors, ord=2, axis=-1)
        n[n == 0] = 1
        vectors /= n  # fault: norm-without-keepdims
        self.vectors = vectors
