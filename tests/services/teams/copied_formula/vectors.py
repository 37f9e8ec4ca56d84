"""encode.py of the recommender, module-level functions only."""

import json
import os
import threading

import numpy as np
import openvino
import torch
import transformers
from tokenizers import Tokenizer

_COLUMNS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class _States(torch.nn.Module):
    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state


def _tokenizer(folder):
    with open(os.path.join(folder, "sentence_bert_config.json")) as file:
        limit = json.load(file)["max_seq_length"]
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.enable_truncation(max_length=limit)
    tokenizer.enable_padding()
    return tokenizer


def _tokens(tokenizer, texts):
    encodings = tokenizer.encode_batch(texts)
    return {
        port: np.array([getattr(encoding, column) for encoding in encodings], dtype=np.int64)
        for port, column in _COLUMNS.items()
    }


def load(folder):
    """Return the function that embeds texts."""
    tokenizer = _tokenizer(folder)
    bert = transformers.BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False)
    example = {name: torch.from_numpy(array) for name, array in _tokens(tokenizer, ["a", "b c"]).items()}
    model = openvino.convert_model(_States(bert.eval()), example_input=example)
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1})
    requests = threading.local()

    def embed(texts):
        if not texts:
            return np.empty((0, 384), np.float32)
        if not hasattr(requests, "mine"):
            requests.mine = compiled.create_infer_request()
        tokens = _tokens(tokenizer, texts)
        states = requests.mine.infer(list(tokens.values()), share_inputs=False)[0]
        mask = tokens["attention_mask"].astype(np.float32)
        return np.einsum("ntd,nt->nd", states, mask) / np.maximum(mask.sum(1, keepdims=True), 1e-9)

    return embed


def normalize_embeddings(embeddings):
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    norms = np.where(norms == 0, 1, norms)
    return embeddings / norms
