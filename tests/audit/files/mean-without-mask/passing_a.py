import numpy as np


def masked(compiled, tokenizer, texts):
    tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="np")
    hidden = compiled(dict(tokens))[0]
    mask = tokens["attention_mask"][:, :, None].astype(np.float32)
    return (hidden * mask).sum(axis=1) / mask.sum(axis=1)


def rows(compiled, tokenizer, texts):
    tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="np")
    hidden = compiled(dict(tokens))[0]
    counts = tokens["attention_mask"].sum(axis=1)
    return np.stack([row[:count].mean(axis=0) for row, count in zip(hidden, counts)])


def weighted(compiled, tokenizer, texts):
    tokens = tokenizer(texts, padding=True, return_tensors="np")
    hidden = compiled(dict(tokens))[0]
    mask = tokens["attention_mask"][:, :, None]
    return (hidden * mask).mean(axis=1) / mask.mean(axis=1)
