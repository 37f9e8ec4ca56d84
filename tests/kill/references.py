"""Faults of the reference, planted in the process of a cell before its suite runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import SentenceTransformer


def _utility(function: Callable[[Any], Any]) -> Callable[[], None]:
    def plant() -> None:
        import sentence_transformers.util as util  # noqa: PLC0415, PLR0402 - the module, whatever the package exports

        right = util.normalize_embeddings

        def normalize_embeddings(embeddings: Any) -> Any:
            return function(embeddings) if isinstance(embeddings, torch.Tensor) else right(embeddings)

        for module in (util, sentence_transformers.SentenceTransformer.__module__):
            target = __import__("sys").modules[module] if isinstance(module, str) else module
            if hasattr(target, "normalize_embeddings"):
                target.normalize_embeddings = normalize_embeddings

    return plant


def _norm(rows: Any, **options: Any) -> Any:
    return torch.nn.functional.normalize(rows, **{"p": 2, "dim": -1, **options})


utility_eps = _utility(lambda rows: _norm(rows, eps=1e-2))
utility_eps_large = _utility(lambda rows: _norm(rows, eps=2.0))
utility_taxicab = _utility(lambda rows: _norm(rows, p=1))
utility_columns = _utility(lambda rows: _norm(rows, dim=0))
utility_float64 = _utility(lambda rows: _norm(rows.double()))
utility_half = _utility(lambda rows: _norm(rows.half()).to(rows.dtype))
utility_drops = _utility(lambda rows: rows / rows[:, :-1].norm(dim=1, keepdim=True).clamp(min=1e-12))
utility_unchanged = _utility(lambda rows: rows)
utility_nan = _utility(lambda rows: rows / rows.norm(dim=1, keepdim=True))
utility_scaled = _utility(lambda rows: _norm(rows) * (1 + 1e-5))
utility_noisy = _utility(lambda rows: _norm(rows) * (1 + 1e-5 * torch.randn_like(rows)))


def _encode(change: Callable[..., Any]) -> Callable[[], None]:
    def plant() -> None:
        right = SentenceTransformer.encode

        def encode(self: Any, sentences: Any, *arguments: Any, **options: Any) -> Any:
            return change(lambda texts: right(self, texts, *arguments, **options), sentences, self)

        SentenceTransformer.encode = encode

    return plant


def _of_rows(change: Callable[[Any], Any]) -> Callable[[], None]:
    return _encode(lambda encode, texts, _: change(np.asarray(encode(texts))))


encode_doubled = _of_rows(lambda rows: rows * 2)
encode_moved = _of_rows(lambda rows: (rows + 1e-4 / rows.shape[1] ** 0.5).astype(rows.dtype))
encode_half = _of_rows(lambda rows: rows.astype(np.float16))
encode_rolled = _of_rows(lambda rows: np.roll(rows, 1, axis=0))
encode_negated = _of_rows(lambda rows: -rows)
encode_cut = _encode(lambda encode, texts, _: encode([text[:200] for text in texts]))
encode_upper = _encode(lambda encode, texts, _: encode([f"{text} ." for text in texts]))


def encode_sorted() -> None:
    _encode(lambda encode, texts, _: encode(sorted(texts, key=len)))()


def limit_128() -> None:
    right = SentenceTransformer.__init__

    def make(self: Any, *arguments: Any, **options: Any) -> None:
        right(self, *arguments, **options)
        self.max_seq_length = 128

    SentenceTransformer.__init__ = make


def rounded_weights() -> None:
    right = SentenceTransformer.__init__

    def make(self: Any, *arguments: Any, **options: Any) -> None:
        right(self, *arguments, **options)
        with torch.no_grad():
            for weights in self.parameters():
                weights.copy_(weights.half().float())

    SentenceTransformer.__init__ = make
