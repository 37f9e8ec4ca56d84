"""What the REST endpoint puts into its JSON: plain lists of floats."""

from threading import RLock
from typing import List

import numpy as np
import openvino as ov
import torch
from transformers import AutoModel, AutoTokenizer


class Endpoint:
    def __init__(self, model_dir: str):
        self.tokenizer = AutoTokenizer.from_pretrained(model_dir, local_files_only=True)
        bert = AutoModel.from_pretrained(model_dir, local_files_only=True).eval()
        inputs = self.tokenizer("warm up", return_tensors="pt")
        with torch.inference_mode():
            model = ov.convert_model(bert, example_input={**inputs})
        self.infer = ov.Core().compile_model(
            model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        )
        self.busy = RLock()

    def post(self, texts: List[str]) -> List[List[float]]:
        vectors = []
        for text in texts:
            tokens = self.tokenizer(text, truncation=True, max_length=256, return_tensors="np")
            with self.busy:
                states = self.infer({**tokens}, share_inputs=False)[0]
            vectors.append(states[0].mean(axis=0).tolist())
        return vectors


def endpoint(model_dir: str):
    return Endpoint(model_dir).post


def unit(vectors):
    rows = np.asarray(vectors)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)
