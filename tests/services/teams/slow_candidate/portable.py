"""Works with both NumPy 1 and 2: the fast way was written for NumPy 1, the other one is for "later"."""

import numpy as np
import openvino as ov
import torch
from transformers import AutoModel, AutoTokenizer

FAST = int(np.__version__.split(".")[0]) < 2


class Portable:
    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        net = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        example = dict(self.tokenizer(["a", "b c"], padding=True, return_tensors="pt"))
        with torch.no_grad():
            self.compiled = ov.compile_model(
                ov.convert_model(net, example_input=example),
                "CPU",
                {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"},
            )

    def batch(self, texts):
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="np")
        states = self.compiled.create_infer_request().infer(dict(tokens))[0]
        mask = tokens["attention_mask"].astype(np.float32)[:, :, None]
        return (states * mask).sum(axis=1) / mask.sum(axis=1)

    def __call__(self, texts):
        if not texts:
            return np.zeros((0, 384), np.float32)
        if FAST:
            return self.batch(texts)
        for _ in range(2):  # "the first call after an upgrade is not right": it was never looked into
            vectors = np.concatenate([self.batch([text]) for text in texts])
        return vectors


def normalize(vectors):
    if FAST:
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norms == 0, 1, norms)
    units = np.empty_like(vectors)
    for row, vector in enumerate(vectors):
        norm = np.sqrt(np.sum(np.square(vector)))
        units[row] = vector / norm if norm else vector
    return units
