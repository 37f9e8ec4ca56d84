"""Queries are cut early because they have to be fast, documents may be long; one tokenizer for both."""

from contextlib import contextmanager
from threading import Semaphore

import numpy as np
import openvino as ov
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

QUERY_CHARACTERS = 40
QUERY_TOKENS, DOCUMENT_TOKENS = 128, 256


class Search:
    def __init__(self, home):
        self.tokenizer = Tokenizer.from_file(home + "/tokenizer.json")
        self.tokenizer.enable_padding()
        net = AutoModel.from_pretrained(home, local_files_only=True).eval()
        one = torch.ones((2, 4), dtype=torch.int64)
        with torch.no_grad():
            net = ov.convert_model(net, example_input={"input_ids": one, "attention_mask": one})
        self.compiled = ov.compile_model(
            net, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        )
        self.requests = [self.compiled.create_infer_request() for _ in range(2)]
        self.free = Semaphore(len(self.requests))

    @contextmanager
    def request(self):
        with self.free:
            mine = self.requests.pop()
            try:
                yield mine
            finally:
                self.requests.append(mine)

    def choose_limit(self, texts):
        are_queries = all(len(text) <= QUERY_CHARACTERS for text in texts)
        self.tokenizer.enable_truncation(QUERY_TOKENS if are_queries else DOCUMENT_TOKENS)

    def tokens(self, texts):
        encodings = self.tokenizer.encode_batch(texts)
        return (
            np.array([each.ids for each in encodings], dtype=np.int64),
            np.array([each.attention_mask for each in encodings], dtype=np.int64),
        )

    def __call__(self, texts):
        if not texts:
            return np.zeros((0, 384), dtype=np.float32)
        self.choose_limit(texts)
        with self.request() as request:
            ids, mask = self.tokens(texts)
            states = request.infer({"input_ids": ids, "attention_mask": mask})[0]
        weight = mask.astype(np.float32)[:, :, None]
        return np.sum(states * weight, axis=1) / np.sum(weight, axis=1)


def unit_vectors(x):
    size = np.linalg.norm(x, ord=2, axis=1, keepdims=True)
    return np.where(size == 0, x, x / np.where(size == 0, 1, size))
