"""Token counts are rounded up to the next bucket, for which there is a compiled model."""

import json

import numpy as np
import openvino as ov
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

BUCKETS = json.loads('{"16": 16, "32": 32, "64": 64, "128": 128, "256": 256}')


class Buckets:
    def __init__(self, folder):
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.tokenizer.enable_truncation(256)
        self.tokenizer.enable_padding(pad_to_multiple_of=24)
        bert = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        ids = torch.ones((2, 16), dtype=torch.int64)
        model = ov.convert_model(bert, example_input={"input_ids": ids, "attention_mask": ids})
        self.model = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def __call__(self, texts):
        encodings = self.tokenizer.encode_batch(texts or [""])
        length = BUCKETS[str(len(encodings[0].ids))]  # 24, 48, ...: none of them is a bucket
        ids = np.zeros((len(texts), length), np.int64)
        mask = np.zeros((len(texts), length), np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = encoding.attention_mask
        states = self.model([ids, mask])[0]
        return (states * mask[:, :, None]).sum(1, dtype=np.float32) / mask.sum(1, dtype=np.float32)[:, None]


def unit(vectors):
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0] = 1
    return vectors / norms
