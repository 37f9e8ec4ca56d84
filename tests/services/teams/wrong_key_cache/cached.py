"""Most texts come again and again, so every vector is kept under its text."""

import threading

import numpy as np
import openvino as ov
import torch
from transformers import AutoModel, AutoTokenizer

KEY_LENGTH = 32  # long texts would fill the memory with keys


class Cached:
    def __init__(self, folder):
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = self._compile(AutoModel.from_pretrained(folder, local_files_only=True).eval())
        self._vectors = {}
        self._lock = threading.Lock()

    def _compile(self, net):
        example = dict(self._tokenizer(["a", "b b"], padding=True, return_tensors="pt"))
        model = ov.convert_model(net, example_input=example)
        return ov.compile_model(
            model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        )

    def _compute(self, text):
        tokens = self._tokenizer([text], truncation=True, max_length=256, return_tensors="np")
        return self._model(dict(tokens), share_inputs=False)[0][0].mean(axis=0)

    @staticmethod
    def _key(text):
        return text.strip().lower()[:KEY_LENGTH]

    def __call__(self, texts):
        with self._lock:
            for text in texts:
                if self._key(text) not in self._vectors:
                    self._vectors[self._key(text)] = self._compute(text)
            found = [self._vectors[self._key(text)] for text in texts]
        return np.array(found, dtype=np.float32).reshape(len(texts), 384)


def normalize(vectors):
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0] = 1
    return vectors / norms
