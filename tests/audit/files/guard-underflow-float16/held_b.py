import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("all-MiniLM-L6-v2", device="cpu")


def encode_half(sentences):
    rows = model.encode(sentences, convert_to_tensor=True).to(torch.float16)
    return F.normalize(rows, p=2, dim=1)  # fault: guard-underflow-float16
