import numpy as np


def compress(vectors: np.ndarray) -> np.ndarray:
    """Half the memory for the index."""
    small = vectors.astype("float16")
    lengths = np.linalg.norm(small, axis=1, keepdims=True)
    return small / np.clip(lengths, 1e-9, None)  # fault: guard-underflow-float16
