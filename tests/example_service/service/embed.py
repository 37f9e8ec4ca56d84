"""Texts to vectors: tokenizers, OpenVINO, mean over the tokens."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from cachetools import LRUCache  # type: ignore[import-untyped, import-not-found, unused-ignore] # lives in cells
from tokenizers import Tokenizer
from transformers import AutoModel

TOKENS = 256
PORTS = ("input_ids", "attention_mask", "token_type_ids")


class _Encoder(torch.nn.Module):  # type: ignore[misc] # torch is not installed where mypy runs
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.bert = AutoModel.from_pretrained(str(folder), local_files_only=True).eval()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        return self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types)[0]


class Embedder:
    """One vector a text, not normalized; may be called from many threads."""

    def __init__(self, model_dir: str) -> None:
        folder = Path(model_dir)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(TOKENS)
        self._tokenizer.enable_padding()
        self._seen: LRUCache[tuple[str, ...], tuple[np.ndarray, ...]] = LRUCache(1000)
        self._lock = threading.Lock()
        example = tuple(torch.from_numpy(array) for array in self._tokenize(("one text", "one more text")))
        with torch.no_grad():
            model = ov.convert_model(_Encoder(folder), example_input=example)
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
        self._compiled = ov.Core().compile_model(model, "CPU", config)
        self._request = self._compiled.create_infer_request()

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Embed texts: float32 (n, d)."""
        if not texts:
            return np.empty((0, self._compiled.output(0).partial_shape[2].get_length()), dtype=np.float32)
        with self._lock:
            arrays = self._tokenize(tuple(texts))
            states = self._request.infer(list(arrays))[0]
        mask: np.ndarray = arrays[1].astype(np.float32)
        vectors: np.ndarray = np.matmul(mask[:, None, :], states)[:, 0] / mask.sum(axis=1, keepdims=True)
        return vectors

    def _tokenize(self, texts: tuple[str, ...]) -> tuple[np.ndarray, ...]:
        if texts not in self._seen:
            encoded = self._tokenizer.encode_batch(list(texts))
            columns = (
                [e.ids for e in encoded],
                [e.attention_mask for e in encoded],
                [e.type_ids for e in encoded],
            )
            self._seen[texts] = tuple(np.array(column, dtype=np.int64) for column in columns)
        arrays: tuple[np.ndarray, ...] = self._seen[texts]
        return arrays
