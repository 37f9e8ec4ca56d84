"""An accelerator-style service: static shapes only, 16 rows by a multiple of 64 tokens.

The work is done by coroutines on a loop of our own; ``Door`` is the synchronous way in.
"""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import openvino as ov
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

ROWS, STEP, LONGEST = 16, 64, 256


class Encoder(torch.nn.Module):
    def __init__(self, bert) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, ids, mask):
        return self.bert(input_ids=ids, attention_mask=mask)[0]


class Batcher:
    def __init__(self, folder: str) -> None:
        self._tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.no_padding()
        bert = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        ids = torch.tensor([[101, 102], [101, 102]])
        with torch.no_grad():
            self._model = ov.convert_model(Encoder(bert), example_input=(ids, torch.ones_like(ids)))
        self._core = ov.Core()
        self._requests: dict[int, ov.InferRequest] = {}
        self._turn = asyncio.Lock()

    def _request(self, length: int) -> ov.InferRequest:
        if length not in self._requests:
            static = self._model.clone()
            static.reshape(dict.fromkeys(static.inputs, [ROWS, length]))
            compiled = self._core.compile_model(
                static, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
            )
            self._requests[length] = compiled.create_infer_request()
        return self._requests[length]

    async def embed(self, texts: list[str]) -> np.ndarray:
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        parts = [await self._embed_batch(rows[at : at + ROWS]) for at in range(0, len(rows), ROWS)]
        return np.concatenate([np.empty((0, 384), np.float32), *parts])

    async def _embed_batch(self, rows: list[list[int]]) -> np.ndarray:
        length = -(-max(map(len, rows)) // STEP) * STEP
        ids, mask = np.zeros((2, ROWS, length), np.int64)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        async with self._turn:
            results = await asyncio.to_thread(self._request(length).infer, [ids, mask])
            hidden = results[0][: len(rows)]  # the rows that fill the batch are nobody's
            weight = mask[: len(rows), :, None].astype(np.float32)
            return (hidden * weight).sum(axis=1) / weight.sum(axis=1)


class Door:
    def __init__(self, folder: str) -> None:
        self._batcher = Batcher(folder)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def __call__(self, texts: list[str]) -> np.ndarray:
        return asyncio.run_coroutine_threadsafe(self._batcher.embed(texts), self._loop).result()


def scale(batch: np.ndarray) -> np.ndarray:
    squares = np.einsum("ij,ij->i", batch, batch)
    lengths = np.sqrt(squares, dtype=batch.dtype)[:, None]
    return batch / np.where(lengths > 0, lengths, lengths.dtype.type(1))
