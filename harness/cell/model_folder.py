"""Configuration of a sentence-transformers model folder, and its pooling in NumPy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Pooling


def pool(hidden: NDArray, mask: NDArray, mode: str) -> NDArray:
    """Pool hidden states over the tokens that the mask keeps.

    Args:
        hidden: float16 or float32, shape (n, t, h).
        mask: 1 for a token, 0 for padding, shape (n, t).
        mode: ``mean``, ``cls`` or ``max``.

    Returns:
        A new array of shape (n, h) in the dtype of ``hidden``. Sums are float32, because float16 sums of 256
        tokens would lose three digits.
    """
    if mode == "cls":
        return hidden[:, 0].copy()
    if mode == "max":
        kept = np.where(mask[:, :, None] != 0, hidden, hidden.dtype.type(-np.inf))
        return kept.max(axis=1)
    if mode != "mean":
        raise ValueError(f"pooling {mode!r}, but should be mean, cls or max")
    weights = mask.astype(np.float32)[:, :, None]
    total = (hidden.astype(np.float32) * weights).sum(axis=1, dtype=np.float32)
    # A text without any token, special ones included, is a zero vector, as in the reference.
    count = np.maximum(weights.sum(axis=1), np.float32(1e-9))
    return (total / count).astype(hidden.dtype)


POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean-sqrt-len",
    "pooling_mode_weightedmean_tokens": "weighted-mean",
    "pooling_mode_lasttoken": "last-token",
}
"""Keys of the pooling mode in releases before 6; later ones may write ``pooling_mode``."""

SUPPORTED_MODULES = ("Transformer", "Pooling", "Normalize")


class ModelFolderError(ValueError):
    """The embedder does not support the model of a folder; with the file and the reason."""


@dataclass(frozen=True)
class ModelFolder:
    """A sentence-transformers model on disk.

    Attributes:
        root: the folder itself; transformer: the folder with weights and tokenizer.
        pooling: ``mean``, ``cls`` or ``max``.
        max_length: longest input in tokens, special tokens included; None for no limit.
        lower_case: whether texts are lowered before the tokenizer sees them.
    """

    root: Path
    transformer: Path
    pooling: str
    max_length: Optional[int]
    lower_case: bool

    @classmethod
    def read(cls, root: Path) -> ModelFolder:
        """Read the module configs of ``root``.

        Raises:
            ModelFolderError: not a sentence-transformers model, or one with other modules or pooling.
        """
        modules = {_kind(entry): root / entry["path"] for entry in _read_modules(root)}
        settings = _read_json(modules["Transformer"] / "sentence_bert_config.json")
        return cls(
            root=root,
            transformer=modules["Transformer"],
            pooling=_read_pooling(modules["Pooling"] / "config.json"),
            max_length=settings.get("max_seq_length"),
            lower_case=bool(settings.get("do_lower_case", False)),
        )


def _kind(entry: Dict[str, Any]) -> str:
    return str(entry["type"]).rpartition(".")[2]


def _read_modules(root: Path) -> List[Dict[str, Any]]:
    path = root / "modules.json"
    entries: List[Dict[str, Any]] = _read_json(path)
    kinds = [_kind(entry) for entry in entries]
    if kinds[:2] != ["Transformer", "Pooling"] or not set(kinds) <= set(SUPPORTED_MODULES):
        raise ModelFolderError(
            f"{path}: modules {', '.join(kinds)}, but only Transformer, Pooling, Normalize are supported"
        )
    return entries


def _read_pooling(path: Path) -> str:
    config = _read_json(path)
    modes = [name for flag, name in POOLING_FLAGS.items() if config.get(flag)]
    named = config.get("pooling_mode")
    if named:
        modes = [named] if isinstance(named, str) else list(named)
    if len(modes) != 1 or modes[0] not in ("mean", "cls", "max"):
        raise ModelFolderError(
            f"{path}: pooling {' + '.join(modes) or 'unnamed'}; only mean, cls or max is supported"
        )
    return str(modes[0])


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFolderError(f"{path} is missing: not a sentence-transformers model folder") from None
