"""Embeddings for near-duplicate detection, as float32 or, to halve the index, as float16."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openvino as ov
import torch
from openvino.preprocess import PrePostProcessor
from transformers import AutoModel, AutoTokenizer

EPS = 1e-12


class MeanPooled(torch.nn.Module):
    """The encoder and its mean in one graph."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        hidden = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )[0]
        weight = attention_mask.unsqueeze(-1).float()
        return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)


@dataclass
class EpsService:
    """A service that is configured by its fields."""

    model_dir: str
    half: bool = False
    max_length: int = 256
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    tokenizer: Any = field(init=False, repr=False)
    request: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(self.model_dir, local_files_only=True)
        example = dict(self.tokenizer(["some text", "more"], padding=True, return_tensors="pt"))
        encoder = AutoModel.from_pretrained(self.model_dir, local_files_only=True).eval()
        with torch.no_grad():
            model = ov.convert_model(MeanPooled(encoder), example_input=example)
        if self.half:
            steps = PrePostProcessor(model)
            steps.output().tensor().set_element_type(ov.Type.f16)
            model = steps.build()
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        self.request = ov.compile_model(model, "CPU", settings).create_infer_request()

    def __call__(self, texts: list[str]) -> np.ndarray:
        if not texts:
            return np.empty((0, 384), dtype=np.float16 if self.half else np.float32)
        with self.lock:
            tokens = self.tokenizer(
                texts, padding=True, truncation=True, max_length=self.max_length, return_tensors="np"
            )
            self.request.infer(dict(tokens), share_inputs=False)
            return np.array(self.request.get_output_tensor(0).data)


def half_service(model_dir: str) -> EpsService:
    """The same in float16."""
    return EpsService(model_dir, half=True)


def normalize(x: np.ndarray) -> np.ndarray:
    """No branch for zeros: the eps takes care of them."""
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + EPS)
