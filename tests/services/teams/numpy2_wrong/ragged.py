"""Each text is pooled over its own tokens; their numbers fit a byte, since texts are cut at 256 tokens."""

import numpy as np
import openvino as ov
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

SPECIAL = 2  # [CLS] and [SEP]


def lengths_of(encodings):
    """Tokens of each text without the special ones, at most 254."""
    return np.array([sum(each.attention_mask) - SPECIAL for each in encodings], dtype=np.uint8)


def open_model(folder):
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    net = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    ids = torch.ones((2, 8), dtype=torch.int64)
    with torch.no_grad():
        model = ov.convert_model(net, example_input={"input_ids": ids, "attention_mask": ids})
    compiled = ov.compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    )

    def embed(texts):
        if not texts:
            return np.zeros((0, 384), np.float32)
        encodings = tokenizer.encode_batch(list(texts))
        ids = np.array([each.ids for each in encodings], dtype=np.int64)
        mask = np.array([each.attention_mask for each in encodings], dtype=np.int64)
        states = compiled.create_infer_request().infer({"input_ids": ids, "attention_mask": mask})[0]
        vectors = np.empty((len(texts), states.shape[2]), np.float32)
        with np.errstate(all="ignore"):
            for row, length in enumerate(lengths_of(encodings)):
                count = length + SPECIAL
                vectors[row] = states[row, :count].sum(axis=0) / np.float32(count)
        return vectors

    return embed


def unit(vectors):
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0] = 1
    return vectors / norms
