"""One text at a time: the queue hands us single messages anyway."""

import threading
from functools import lru_cache
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel


@lru_cache(maxsize=1)
def engine(folder):
    net = AutoModel.from_pretrained(folder, local_files_only=True)
    net.eval()
    ids = torch.tensor([[101, 2023, 102]])
    model = ov.convert_model(net, example_input={"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    return ov.compile_model(
        model,
        "CPU",
        {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"},
    )


@lru_cache(maxsize=1)
def tokenizer(folder):
    found = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    found.no_padding()
    found.enable_truncation(256)
    return found


local = threading.local()


def embed_one(folder, text):
    if getattr(local, "request", None) is None:
        local.request = engine(folder).create_infer_request()
    ids = np.array([tokenizer(folder).encode(text).ids])
    states = local.request.infer({"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
    return states[0].mean(axis=0)  # a single text has no padding


def make(folder):
    width = AutoConfig.from_pretrained(folder, local_files_only=True).hidden_size

    def embed(texts):
        vectors = np.empty((len(texts), width), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = embed_one(folder, text)
        return vectors

    return embed


def unit(vector):
    norm = np.linalg.norm(vector)
    norm = np.where(norm == 0, 1, norm)
    return vector / norm


def unit_each(vectors):
    units = np.empty_like(vectors)
    for row, vector in enumerate(vectors):
        units[row] = unit(vector)
    return units
