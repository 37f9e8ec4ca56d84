import numpy as np
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2")
found = model.encode(["first", "second"])
size = np.linalg.norm(found)  # fault: norm-without-axis
found = found / max(size, 1.0)
