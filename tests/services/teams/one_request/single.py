"""One compiled model, one request: made once, used for every call."""

import numpy as np
import openvino as ov
import torch
from transformers import BertModel, BertTokenizerFast


class Model:
    def __init__(self, directory):
        self.tok = BertTokenizerFast.from_pretrained(directory, local_files_only=True)
        bert = BertModel.from_pretrained(directory, local_files_only=True).eval()
        with torch.no_grad():
            ir = ov.convert_model(
                bert, example_input=dict(self.tok(["a b", "c"], padding=True, return_tensors="pt"))
            )
        self.request = (
            ov.Core()
            .compile_model(ir, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"})
            .create_infer_request()
        )

    def embed(self, texts):
        if not texts:
            return np.zeros((0, 384), np.float32)
        inputs = self.tok(texts, padding=True, truncation=True, max_length=256, return_tensors="np")
        hidden = self.request.infer(dict(inputs))[0]
        keep = inputs["attention_mask"].astype(np.float32)[..., None]
        return (hidden * keep).sum(1) / keep.sum(1)

    __call__ = embed


def l2(x):
    n = np.sqrt(np.square(x).sum(axis=1, keepdims=True))
    n[n == 0] = 1
    return x / n
