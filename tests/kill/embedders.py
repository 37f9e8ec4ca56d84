"""Embedders with one fault each, made of the shipped one, and correct variants; imported by cells."""

from __future__ import annotations

import os
import threading
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch

from harness.cell import conversion, reference
from harness.cell.embedder import OpenVinoEmbedder, _Requests
from harness.cell.pooling import pool

CONVERTED = "KILL_CONVERTED"
"""Environment variable with the folder of the converted model, which most faults share."""


def read_model() -> Any:
    """The shipped model as OpenVINO reads it; None if it has to be converted."""
    folder = os.environ.get(CONVERTED, "")
    return ov.Core().read_model(str(Path(folder, "model.xml"))) if folder else None


class Shipped(OpenVinoEmbedder):
    """The shipped embedder, in one dtype as most services are."""

    options: dict[str, Any] = {}
    variant = property()  # hasattr says no

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir, model=read_model(), **self.options)


def _vary(base: type, prefix: str, name: str, values: dict[str, Any]) -> None:
    """A class for each value of an attribute: ``<prefix>_<key>``."""
    for key, value in values.items():
        globals()[f"{prefix}_{key}"] = type(f"{prefix}_{key}", (base,), {name: value})


# Lists: order, batches, repeated texts


class _Unrestored(Shipped):
    first = 32

    def __call__(self, texts: list[str]) -> Any:
        rows = super().__call__(texts)
        if len(texts) <= self.first:
            return rows
        return rows[sorted(range(len(texts)), key=lambda row: -len(texts[row]))]


_vary(_Unrestored, "unrestored", "first", {"2": 2, "8": 8, "32": 32, "64": 64, "100": 100})


class _OtherBatchRolled(Shipped):
    size = 32

    def __call__(self, texts: list[str]) -> Any:
        rows = super().__call__(texts)
        rows[self.size : 2 * self.size] = np.roll(rows[self.size : 2 * self.size], 1, axis=0)
        return rows


_vary(_OtherBatchRolled, "second_batch_rolled", "size", {"8": 8, "16": 16, "32": 32, "64": 64})


class _LastBatch(Shipped):
    size = 32

    def __call__(self, texts: list[str]) -> Any:
        rows = super().__call__(texts)
        rest = len(texts) % self.size
        if len(texts) > self.size and rest:
            rows[-rest:] = 0
        return rows


_vary(_LastBatch, "rest_lost", "size", {"16": 16, "32": 32, "64": 64})


class unique_texts(Shipped):
    """Drop doubled texts, and give their rows to those behind them."""

    def __call__(self, texts: list[str]) -> Any:
        known = list(dict.fromkeys(texts))
        rows = super().__call__(known)
        return np.concatenate([rows, rows[: len(texts) - len(known)]])


class sorted_texts_set(Shipped):
    """Embed a sorted list, in the order of the alphabet."""

    def __call__(self, texts: list[str]) -> Any:
        return super().__call__(sorted(texts) if len(texts) > 1 else texts)


class caller_sorted(Shipped):
    """Sort the caller's list in its place."""

    def __call__(self, texts: list[str]) -> Any:
        texts.sort(key=len)
        return super().__call__(texts)


class one_row_squeezed(Shipped):
    def __call__(self, texts: list[str]) -> Any:
        return np.squeeze(super().__call__(texts))


class _AtMost(Shipped):
    most = 64

    def __call__(self, texts: list[str]) -> Any:
        if len(texts) > self.most:
            raise ValueError(f"at most {self.most} texts")
        return super().__call__(texts)


_vary(_AtMost, "at_most", "most", {"16": 16, "64": 64, "128": 128})


class _CutList(Shipped):
    most = 64

    def __call__(self, texts: list[str]) -> Any:
        rows = super().__call__(texts)
        rows[self.most :] = rows[:1]
        return rows


_vary(_CutList, "list_cut", "most", {"32": 32, "64": 64, "128": 128})


# Masks, padding, pooling


class _Pooled(Shipped):
    def _finish(self, states: Any, mask: Any) -> Any:
        return self.pool(states, mask)

    def pool(self, states: Any, mask: Any) -> Any:
        raise NotImplementedError


class unmasked_pooling(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        return states.mean(axis=1)


class cls_pooling(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        return pool(states, mask, ("cls",))


class max_pooling(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        return pool(states, mask, ("max",))


class last_pooling(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        return pool(states, mask, ("lasttoken",))


class weighted_pooling(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        return pool(states, mask, ("weightedmean",))


class without_special_tokens(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        inner = mask.copy()
        inner[:, 0] = 0
        inner[np.arange(len(mask)), mask.sum(axis=1) - 1] = 0
        return pool(states, np.where(inner.any(axis=1, keepdims=True), inner, mask))


class half_pooling(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        kept = states.astype(np.float16) * mask[:, :, None].astype(np.float16)
        total = np.add.accumulate(kept, axis=1, dtype=np.float16)[:, -1]
        return (total / mask.sum(axis=1, keepdims=True).astype(np.float16)).astype(self.output)


class bfloat_states(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        coarse = (np.ascontiguousarray(states).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        return pool(coarse, mask)


class half_states(_Pooled):
    def pool(self, states: Any, mask: Any) -> Any:
        return pool(states.astype(np.float16).astype(np.float32), mask)


class count_of_the_batch(_Pooled):
    """Divide all sums by the largest count of the batch, which a normalizer undoes; leave out one token."""

    def pool(self, states: Any, mask: Any) -> Any:
        kept = mask.copy()
        kept[:, mask.sum(axis=1).min() :] = 0
        return pool(states, kept)


class short_mean(_Pooled):
    """Pool at most 128 tokens."""

    def pool(self, states: Any, mask: Any) -> Any:
        return pool(states[:, :128], mask[:, :128])


class _MaskIgnored(Shipped):
    """Ignore the mask in the model where the padded length is one of these."""

    lengths: tuple[int, ...] = ()
    least_rows = 0

    def infer(self, tokens: dict[str, Any]) -> Any:
        mask = tokens["attention_mask"]
        if mask.shape[1] in self.lengths or (self.least_rows and len(mask) >= self.least_rows):
            tokens = {**tokens, "attention_mask": np.ones_like(mask)}
        return super().infer(tokens)


_LENGTHS = {str(length): (length,) for length in (8, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256)}
_vary(_MaskIgnored, "mask_ignored_at", "lengths", {**_LENGTHS, "long": tuple(range(65, 257))})
_vary(_MaskIgnored, "mask_ignored_at", "lengths", {"any": tuple(range(600))})
_vary(_MaskIgnored, "mask_ignored_in", "least_rows", {"16": 16, "32": 32, "64": 64})


class _Rolled(Shipped):
    """Mix up rows of batches with a certain padded length."""

    lengths: tuple[int, ...] = ()

    def infer(self, tokens: dict[str, Any]) -> Any:
        states = super().infer(tokens)
        return np.roll(states, 1, axis=0) if states.shape[1] in self.lengths else states


_vary(_Rolled, "rows_mixed_at", "lengths", {key: _LENGTHS[key] for key in ("16", "40", "128")})


class _Padded(Shipped):
    """Pad to a multiple, or with whole rows, whose mask is all zero."""

    multiple = 0
    rows = 0

    def infer(self, tokens: dict[str, Any]) -> Any:
        count, length = tokens["attention_mask"].shape
        padded = {name: self._pad(array) for name, array in tokens.items()}
        states = super().infer(padded)
        return self.cut(states, count, length)

    def cut(self, states: Any, count: int, length: int) -> Any:
        return states[:count, :length]

    def _pad(self, array: Any) -> Any:
        wide = -array.shape[1] % self.multiple if self.multiple else 0
        high = -len(array) % self.rows if self.rows else 0
        return np.pad(array, ((0, high), (0, wide)))


_vary(_Padded, "padded_to", "multiple", {"8": 8, "64": 64})
_vary(_Padded, "filled_to", "rows", {"16": 16, "32": 32})


class fill_is_averaged(_Padded):
    """Use the mean of the batch, rows that fill it included."""

    rows = 16

    def cut(self, states: Any, count: int, length: int) -> Any:
        whole = states - 1e-3 * states.mean(axis=0, keepdims=True)
        return whole[:count, :length]


class fill_shifts_rows(_Padded):
    """Keep the last rows of a filled batch."""

    rows = 16

    def cut(self, states: Any, count: int, length: int) -> Any:
        return states[-count:, :length]


class pads_left(Shipped):
    """Pad on the left, which a mean with the mask allows."""

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._tokenizer.padding_side = "left"


class pads_left_first_token(pads_left):
    """Pad on the left and pool the first position."""

    def _finish(self, states: Any, mask: Any) -> Any:
        return states[:, 0] + 0 * mask[:, :1]


class pads_to_the_limit(Shipped):
    def _encode(self, texts: list[str]) -> Any:
        encoded = self._tokenizer(
            texts, padding="max_length", truncation=True, max_length=self._limit, return_tensors="np"
        )
        return {name: np.ascontiguousarray(array, dtype=np.int64) for name, array in encoded.items()}


class cut_to_the_shortest(Shipped):
    def _encode(self, texts: list[str]) -> Any:
        tokens = super()._encode(texts)
        least = max(int(tokens["attention_mask"].sum(axis=1).min()), 3) if texts else 0
        return {name: np.ascontiguousarray(array[:, :least]) for name, array in tokens.items()}


# Tokens and texts


class _Limited(Shipped):
    limit: Any = 128

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._limit = self.limit


_vary(_Limited, "limit", "limit", {"64": 64, "128": 128, "255": 255, "257": 257, "512": 512})


class cut_from_the_left(Shipped):
    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._tokenizer.truncation_side = "left"


class _Tokens(Shipped):
    def _encode(self, texts: list[str]) -> Any:
        return self.change(super()._encode(texts))

    def change(self, tokens: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class other_token_types(_Tokens):
    def change(self, tokens: dict[str, Any]) -> dict[str, Any]:
        return {**tokens, "token_type_ids": tokens["attention_mask"].copy()}


class without_last_token(_Tokens):
    """Mask the separator."""

    def change(self, tokens: dict[str, Any]) -> dict[str, Any]:
        mask = tokens["attention_mask"].copy()
        mask[np.arange(len(mask)), mask.sum(axis=1) - 1] = 0
        return {**tokens, "attention_mask": mask}


class unknown_tokens(_Tokens):
    """Take all tokens beyond 25,000 for unknown ones."""

    def change(self, tokens: dict[str, Any]) -> dict[str, Any]:
        ids = tokens["input_ids"]
        return {**tokens, "input_ids": np.where(ids > 25_000, self._tokenizer.unk_token_id, ids)}


class wrong_tokens(_Tokens):
    """Another vocabulary: every tenth token is the next one."""

    def change(self, tokens: dict[str, Any]) -> dict[str, Any]:
        ids = tokens["input_ids"]
        return {**tokens, "input_ids": np.where((ids % 10 == 0) & (ids > 2000), ids + 1, ids)}


class _Text(Shipped):
    change: Any = staticmethod(str)

    def _encode(self, texts: list[str]) -> Any:
        return super()._encode([type(self).change(text) for text in texts])


_CHANGES = {
    "ascii": lambda text: text.encode("ascii", "ignore").decode(),
    "one_line": lambda text: text.split("\n")[0],
    "blanks": lambda text: "".join(text.split()),
    "prefix_query": lambda text: f"query: {text}",
    "prefix_blank_colon": lambda text: f": {text}",
    "full_stop": lambda text: text if text.endswith(".") else f"{text}.",
    "characters_512": lambda text: text[:512],
    "characters_1000": lambda text: text[:1000],
    "characters_8000": lambda text: text[:8000],
    "letters": lambda text: "".join(sign if sign.isalnum() else " " for sign in text),
    "digits": lambda text: "".join("0" if sign.isdigit() else sign for sign in text),
    "compatibility": lambda text: unicodedata.normalize("NFKC", text),
    "decomposed": lambda text: unicodedata.normalize("NFD", text).replace("\u0301", "'"),
    "tags": lambda text: text.replace("<", " ").replace(">", " "),
    "empty_is_blank": lambda text: text or "empty",
    "without_stop_words": lambda text: " ".join(word for word in text.split() if word != "the"),
    "emoji": lambda text: "".join(sign for sign in text if ord(sign) < 0x1F000),
    "marks": lambda text: "".join(sign for sign in text if not unicodedata.combining(sign)),
    "full_width": lambda text: "".join(sign for sign in text if not 0xFF00 <= ord(sign) < 0xFFF0),
    "repeated_words": lambda text: " ".join(dict.fromkeys(text.split())),
    "long_words": lambda text: " ".join(word[:99] for word in text.split(" ")),
}
_vary(_Text, "text", "change", {key: staticmethod(change) for key, change in _CHANGES.items()})


# The model and its execution


class _Hinted(Shipped):
    hints: dict[str, str] = {}

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1", **self.hints}
        self._compiled = ov.Core().compile_model(self._model, "CPU", config)
        self._requests = _Requests(self._compiled)


_vary(
    _Hinted,
    "hint",
    "hints",
    {
        "bf16": {"INFERENCE_PRECISION_HINT": "bf16"},
        "f16": {"INFERENCE_PRECISION_HINT": "f16"},
        "throughput": {"PERFORMANCE_HINT": "THROUGHPUT"},
        "two_threads": {"INFERENCE_NUM_THREADS": "2"},
        "streams": {"NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "2"},
    },
)


class _Weights(Shipped):
    """Convert a model whose weights were changed."""

    def __init__(self, model_dir: str) -> None:
        OpenVinoEmbedder.__init__(self, model_dir, **self.options)

    def _convert(self) -> Any:
        right = conversion.load_transformer
        conversion.load_transformer = lambda folder: self.change(right(folder))
        try:
            return super()._convert()
        finally:
            conversion.load_transformer = right

    def change(self, transformer: Any) -> Any:
        raise NotImplementedError


class _RoundedWeights(_Weights):
    kind = "float16"

    def change(self, transformer: Any) -> Any:
        return reference.with_rounded_weights(transformer, self.kind)


_vary(_RoundedWeights, "weights", "kind", {each: each for each in ("float16", "bfloat16", "int8")})


class _Perturbed(_Weights):
    size = 1e-4

    def change(self, transformer: Any) -> Any:
        torch.manual_seed(1)
        with torch.no_grad():
            for weights in transformer.parameters():
                weights.add_(
                    torch.randn_like(weights) * weights.std() * self.size if weights.numel() > 1 else 0
                )
        return transformer


_vary(_Perturbed, "weights_moved", "size", {"1e4": 1e-4, "1e3": 1e-3, "1e2": 1e-2})


class tanh_gelu(_Weights):
    def change(self, transformer: Any) -> Any:
        for layer in transformer.encoder.layer:
            layer.intermediate.intermediate_act_fn = torch.nn.GELU(approximate="tanh")
        return transformer


class relu(_Weights):
    def change(self, transformer: Any) -> Any:
        for layer in transformer.encoder.layer:
            layer.intermediate.intermediate_act_fn = torch.nn.ReLU()
        return transformer


class _Epsilon(_Weights):
    eps = 1e-5

    def change(self, transformer: Any) -> Any:
        for module in transformer.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.eps = self.eps
        return transformer


_vary(_Epsilon, "layer_norm_eps", "eps", {"1e5": 1e-5, "1e6": 1e-6, "1e3": 1e-3})


class one_layer_less(_Weights):
    def change(self, transformer: Any) -> Any:
        transformer.encoder.layer = transformer.encoder.layer[:-1]
        return transformer


class layers_swapped(_Weights):
    def change(self, transformer: Any) -> Any:
        layers = list(transformer.encoder.layer)
        transformer.encoder.layer = torch.nn.ModuleList([layers[1], layers[0], *layers[2:]])
        return transformer


class one_bias_lost(_Weights):
    def change(self, transformer: Any) -> Any:
        with torch.no_grad():
            transformer.encoder.layer[2].output.dense.bias.zero_()
        return transformer


class one_head_lost(_Weights):
    def change(self, transformer: Any) -> Any:
        with torch.no_grad():
            transformer.encoder.layer[0].attention.output.dense.weight[:, :32] = 0
        return transformer


class positions_shifted(_Weights):
    def change(self, transformer: Any) -> Any:
        with torch.no_grad():
            weights = transformer.embeddings.position_embeddings.weight
            weights.copy_(torch.roll(weights, -1, dims=0))
        return transformer


class attention_scale(_Weights):
    def change(self, transformer: Any) -> Any:
        with torch.no_grad():
            for layer in transformer.encoder.layer:
                layer.attention.self.query.weight.mul_(1.01)
        return transformer


class last_norm_lost(_Weights):
    def change(self, transformer: Any) -> Any:
        transformer.encoder.layer[-1].output.LayerNorm = torch.nn.Identity()
        return transformer


class last_norm_x10(_Weights):
    """Ten times the states: the same directions."""

    def change(self, transformer: Any) -> Any:
        with torch.no_grad():
            transformer.encoder.layer[-1].output.LayerNorm.weight.mul_(10)
            transformer.encoder.layer[-1].output.LayerNorm.bias.mul_(10)
        return transformer


def _serve_half(*names: str) -> None:
    """The same faults of an embedder that serves float16 alone: ``half_<name>``."""
    for name in names:
        globals()[f"half_{name}"] = type(
            f"half_{name}", (globals()[name],), {"options": {"output": "float16"}}
        )


_serve_half("weights_float16", "weights_bfloat16", "tanh_gelu", "layer_norm_eps_1e5", "half_pooling")
_serve_half("unmasked_pooling", "limit_128", "unrestored_32", "hint_f16")

# Vectors


class _Vectors(Shipped):
    def __call__(self, texts: list[str]) -> Any:
        return self.change(super().__call__(texts), texts)

    def change(self, rows: Any, texts: list[str]) -> Any:
        raise NotImplementedError


class _Noisy(_Vectors):
    size = 1e-4

    def change(self, rows: Any, texts: list[str]) -> Any:
        drawn = (
            np.random.RandomState(5).standard_normal((1, rows.shape[1])) * self.size / rows.shape[1] ** 0.5
        )
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return (rows + lengths * drawn).astype(rows.dtype)


_vary(_Noisy, "moved_by", "size", {"2e5": 2e-5, "1e4": 1e-4, "1e3": 1e-3, "1e2": 1e-2})


class _Random(_Vectors):
    size = 1e-5

    def change(self, rows: Any, texts: list[str]) -> Any:
        drawn = np.random.default_rng().standard_normal(rows.shape) * self.size / rows.shape[1] ** 0.5
        return (rows + drawn * np.linalg.norm(rows, axis=1, keepdims=True)).astype(rows.dtype)


_vary(_Random, "random", "size", {"1e6": 1e-6, "1e4": 1e-4, "1e2": 1e-2})


class components_rolled(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        return np.roll(rows, 1, axis=1)


class first_component_lost(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        rows[:, 0] = 0
        return rows


class negated(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        return -rows


class truncated(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        return np.ascontiguousarray(rows[:, :256])


class eight_bits(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        scale = np.abs(rows).max(axis=1, keepdims=True, initial=1e-9) / 127
        return (np.round(rows / scale) * scale).astype(rows.dtype)


class centered(_Vectors):
    """Subtract the mean of the list from all rows."""

    def change(self, rows: Any, texts: list[str]) -> Any:
        return rows - rows.mean(axis=0, keepdims=True) if len(rows) > 1 else rows


class float64(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        return rows.astype(np.float64)


class lists(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        return rows.tolist()


class three_dimensions(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        return rows[None]


class empty_is_flat(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        return rows if texts else np.array([])


class empty_is_float64(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        return rows if texts else rows.astype(np.float64)


class blank_is_nan(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        rows[[not text.strip() for text in texts]] = np.nan
        return rows


class long_is_nan(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        rows[[len(text) > 2000 for text in texts]] = np.nan
        return rows


class long_is_zero(_Vectors):
    def change(self, rows: Any, texts: list[str]) -> Any:
        rows[[len(text) > 8000 for text in texts]] = 0
        return rows


# Buffers, threads, state


class one_buffer(_Vectors):
    """Return views of one buffer."""

    _buffer: Any = None

    def change(self, rows: Any, texts: list[str]) -> Any:
        if self._buffer is None:
            self._buffer = np.zeros((4096, rows.shape[1]), rows.dtype)
        self._buffer[: len(rows)] = rows
        return self._buffer[: len(rows)]


class inputs_overwritten(Shipped):
    """Write into the token arrays of an earlier call."""

    _shared: Any = None

    def infer(self, tokens: dict[str, Any]) -> Any:
        states = super().infer(tokens)
        if self._shared is not None:
            self._shared[...] = 0
        self._shared = tokens["input_ids"]
        return states


class one_request(Shipped):
    """One infer request for all threads."""

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._one = self._compiled.create_infer_request()

    def infer(self, tokens: dict[str, Any]) -> Any:
        names = {name for port in self._compiled.inputs for name in port.get_names()}
        given = {name: array for name, array in tokens.items() if name in names}
        return np.array(self._one.infer(given, share_inputs=False)[0])


class two_limits(Shipped):
    """Set the limit of the one tokenizer for each call: short for a single short text."""

    def _encode(self, texts: list[str]) -> Any:
        self._limit = 64 if len(texts) == 1 and len(texts[0]) < 100 else 256
        for _ in range(200):  # the other threads run meanwhile
            limit = self._limit
        self._limit = limit
        return super()._encode(texts)


class two_limits_in_turn(Shipped):
    """As ``two_limits``, with the use in the line after the choice."""

    def _encode(self, texts: list[str]) -> Any:
        self._limit = 64 if len(texts) == 1 and len(texts[0]) < 100 else 256
        return super()._encode(texts)


class shared_texts(Shipped):
    """Keep the texts of a call where all threads see them."""

    def __call__(self, texts: list[str]) -> Any:
        self._texts = list(texts)
        for _ in range(2000):
            count = len(self._texts)
        rows = super().__call__(self._texts)
        return rows[:count]


class _Raises(Shipped):
    """Raise at some calls."""

    every = 25

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._count, self._lock = 0, threading.Lock()

    def __call__(self, texts: list[str]) -> Any:
        with self._lock:
            self._count += 1
            if self._count % self.every == 0:
                raise RuntimeError("Already borrowed")
        return super().__call__(texts)


_vary(_Raises, "raises_every", "every", {"2": 2, "25": 25, "60": 60})


class raises_on_empty_list(Shipped):
    def __call__(self, texts: list[str]) -> Any:
        assert texts
        return super().__call__(texts)


class raises_on_empty_text(Shipped):
    def __call__(self, texts: list[str]) -> Any:
        if not all(texts):
            raise ValueError("empty text")
        return super().__call__(texts)


class raises_on_long_text(Shipped):
    def __call__(self, texts: list[str]) -> Any:
        if any(len(text) > 5000 for text in texts):
            raise ValueError("text too long")
        return super().__call__(texts)


class _Cached(Shipped):
    """Keep vectors under a wrong key."""

    key: Any = staticmethod(str)

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._kept: dict[Any, Any] = {}

    def __call__(self, texts: list[str]) -> Any:
        rows = super().__call__(texts)
        return np.array(
            [self._kept.setdefault(type(self).key(text), row) for text, row in zip(texts, rows)], rows.dtype
        ).reshape(rows.shape)


_KEYS: dict[str, Any] = {
    "prefix_32": lambda text: text[:32],
    "prefix_64": lambda text: text[:64],
    "suffix_16": lambda text: text[-16:],
    "length": len,
    "words": lambda text: " ".join(sorted(text.split())),
    "hash_256": lambda text: hash(text) % 256,
    "text": str,
}
_vary(_Cached, "cached_by", "key", {key: staticmethod(function) for key, function in _KEYS.items()})


class _Call(_Vectors):
    """Another result at some call."""

    calls: tuple[int, ...] = ()

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._count = 0

    def change(self, rows: Any, texts: list[str]) -> Any:
        self._count += 1
        return rows * np.float32(1.001) + np.float32(1e-3) if self._count in self.calls else rows


_vary(_Call, "other_at_call", "calls", {"first": (1, 2), "later": tuple(range(20, 10_000))})


class after_a_long_text(_Vectors):
    """Another result for some calls after a very long text."""

    _left = 0

    def change(self, rows: Any, texts: list[str]) -> Any:
        if any(len(text) > 4000 for text in texts):
            self._left = 5
            return rows
        self._left -= 1
        return np.roll(rows, 1, axis=1) if self._left >= 0 else rows


class after_an_exception(_Vectors):
    """Another result for a call after one that raised."""

    _failed = False

    def __call__(self, texts: list[str]) -> Any:
        try:
            rows = OpenVinoEmbedder.__call__(self, texts)
        except Exception:
            self._failed = True
            raise
        if self._failed:
            self._failed = False
            return np.roll(rows, 1, axis=1)
        return rows


class set_order(_Vectors):
    """Add what depends on the hash seed of the process."""

    def change(self, rows: Any, texts: list[str]) -> Any:
        return rows * np.float32(1) + np.float32(hash("seed") % 7 * 1e-4)


class moving_mean(_Vectors):
    """Subtract a mean that every call changes."""

    _mean: Any = 0.0

    def change(self, rows: Any, texts: list[str]) -> Any:
        if len(rows):
            self._mean = 0.99 * self._mean + 0.01 * rows.mean(axis=0, keepdims=True)
        return (rows - 1e-3 * self._mean).astype(rows.dtype)


# Correct ones


def _sized(size: int) -> type:
    return type(f"batch_{size}", (Shipped,), {"options": {"batch_size": size}})


batch_1, batch_8, batch_64, batch_200 = (_sized(size) for size in (1, 8, 64, 200))


class half_output(Shipped):
    """Serve float16 alone."""

    options = {"output": "float16"}


class locked(one_request):
    """One infer request behind a lock."""

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._lock = threading.Lock()

    def infer(self, tokens: dict[str, Any]) -> Any:
        with self._lock:
            return super().infer(tokens)


class sorts_and_restores(Shipped):
    def __call__(self, texts: list[str]) -> Any:
        order = sorted(range(len(texts)), key=texts.__getitem__)
        rows = super().__call__([texts[row] for row in order])
        return rows[np.argsort(order, kind="stable")] if texts else rows


class plain_function:
    """Nothing but a call: neither hidden states nor tokens."""

    def __init__(self, model_dir: str) -> None:
        self._embed = Shipped(model_dir)

    def __call__(self, texts: list[str]) -> Any:
        return self._embed(texts)


class torch_itself:
    """The reference as a service."""

    def __init__(self, model_dir: str) -> None:
        self._model = reference.load_reference(model_dir)

    def __call__(self, texts: list[str]) -> Any:
        return reference.encode(self._model, texts, normalize=False)


def load_folder(model_dir: str) -> Any:
    """The shipped embedder of another folder than the one it is given."""
    return OpenVinoEmbedder(os.environ["KILL_FOLDER"])
