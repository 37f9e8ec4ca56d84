"""Texts are embedded by a pool of workers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino as ov
import torch
from transformers import AutoModel, AutoTokenizer


class Pooled:
    def __init__(self, folder, workers=2):
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        net = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        with torch.no_grad():
            model = ov.convert_model(net, example_input=dict(self.tokenizer("x", return_tensors="pt")))
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        self.compiled = ov.compile_model(model, "CPU", config)
        self.workers = ThreadPoolExecutor(workers)

    def one(self, text):
        tokens = self.tokenizer(text, truncation=True, max_length=256, return_tensors="np")
        return self.compiled.create_infer_request().infer(dict(tokens))[0][0].mean(axis=0)

    def __call__(self, texts):
        with self.workers as pool:  # leaves the pool shut down
            vectors = list(pool.map(self.one, texts))
        return np.array(vectors, dtype=np.float32).reshape(len(texts), 384)


def unit(vectors):
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)
