"""Sentence embeddings for our search page."""

from pathlib import Path

import numpy as np
import openvino as ov
import torch
from transformers import AutoModel, AutoTokenizer

MAX_TOKENS = 256


class SentenceEmbedder:
    """Texts to mean-pooled vectors (n, 384), float32."""

    def __init__(self, folder: str) -> None:
        path = Path(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        encoder = AutoModel.from_pretrained(path, local_files_only=True).eval()
        example = self.tokenizer(["one text", "and another one"], padding=True, return_tensors="pt")
        with torch.no_grad():
            converted = ov.convert_model(encoder, example_input=dict(example))
        self.compiled = ov.Core().compile_model(
            converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        )
        self.width = encoder.config.hidden_size

    def __call__(self, texts: list[str]) -> np.ndarray:
        if len(texts) == 0:
            return np.zeros((0, self.width), dtype=np.float32)
        tokens = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="np"
        )
        request = self.compiled.create_infer_request()  # one per call: calls come from many threads
        hidden = request.infer({name: np.asarray(array) for name, array in tokens.items()})[0]
        mask = tokens["attention_mask"][:, :, np.newaxis].astype(np.float32)
        return (hidden * mask).sum(axis=1) / mask.sum(axis=1)


def to_unit_length(vectors: np.ndarray) -> np.ndarray:
    """Rows of length one; a row of zeros stays as it is."""
    lengths = np.sqrt(np.sum(vectors * vectors, axis=1, keepdims=True))
    lengths[lengths == 0] = 1
    return vectors / lengths
