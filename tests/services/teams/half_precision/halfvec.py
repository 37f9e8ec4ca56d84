"""float16 vectors for an index that stores halves (pgvector's halfvec)."""

import queue

import numpy as np
import openvino as ov
import torch
from openvino import opset13 as ops
from transformers import AutoModel, PreTrainedTokenizerFast


class HalfVectors:
    __slots__ = ("_compiled", "_pool", "_tokenizer")

    def __init__(self, compiled, tokenizer):
        self._compiled = compiled
        self._tokenizer = tokenizer
        self._pool = queue.SimpleQueue()
        for _ in range(4):
            self._pool.put(compiled.create_infer_request())

    @classmethod
    def from_folder(cls, folder):
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        net = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        keys = ["input_ids", "attention_mask", "token_type_ids"]
        example = tokenizer(["x", "y z"], padding=True, return_tensors="pt", return_token_type_ids=True)
        with torch.no_grad():
            model = ov.convert_model(net, example_input={key: example[key] for key in keys})
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        return cls(ov.compile_model(with_mean(model), "CPU", settings), tokenizer)

    def __call__(self, texts):
        if not texts:
            return np.zeros((0, 384), np.float16)
        tokens = self._tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=256,
            return_tensors="np",
            return_token_type_ids=True,
        )
        request = self._pool.get()
        try:
            result = request.infer({key: tokens[key].astype(np.int64) for key in tokens})
            return np.array(result[0])
        finally:
            self._pool.put(request)


def with_mean(model):
    """The model with a mean over its unmasked states, rounded to float16, as its only output."""
    states = model.output(0).get_node().input_value(0)
    (mask,) = [port for port in model.inputs if "attention_mask" in port.get_names()]
    weight = ops.unsqueeze(ops.convert(mask, "f32"), ops.constant([2], dtype=np.int64))
    axis = ops.constant([1], dtype=np.int64)
    total = ops.reduce_sum(ops.multiply(states, weight), axis, keep_dims=False)
    mean = ops.divide(total, ops.reduce_sum(weight, axis, keep_dims=False))
    return ov.Model([ops.result(ops.convert(mean, "f16"))], model.get_parameters(), "halfvec")


def l2_normalize(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms != 0)
