import torch
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("intfloat/e5-small")
encoder = AutoModel.from_pretrained("intfloat/e5-small").eval()


@torch.no_grad()
def embed(texts):
    inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    outputs = encoder(**inputs)
    return outputs.last_hidden_state.mean(dim=1).numpy()  # fault: mean-without-mask
