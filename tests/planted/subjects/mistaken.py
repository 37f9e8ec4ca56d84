"""The shipped embedder with one mistake each in lists, masks, texts or threads, imported by cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.cell.embedder import OpenVinoEmbedder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tokens = dict[str, NDArray]


class Unrestored(OpenVinoEmbedder):
    """Leaves the rows of more than 32 texts in the order of their lengths."""

    def __call__(self, texts: Any) -> NDArray:
        rows = super().__call__(texts)
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        return rows[order] if len(texts) > 32 else rows


class SecondBatch(OpenVinoEmbedder):
    """Gives the second batch of a list the rows of the first."""

    def __call__(self, texts: Any) -> NDArray:
        rows = super().__call__(texts)
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        second = order[32:64]
        rows[second] = rows[order[: len(second)]]
        return rows


class Unrepeated(OpenVinoEmbedder):
    """Embeds a text that comes twice once, and gives its other rows nothing."""

    def __call__(self, texts: Any) -> NDArray:
        rows = super().__call__(texts)
        rows[[at for at, text in enumerate(texts) if text in texts[:at]]] = 0
        return rows


class Shortened(OpenVinoEmbedder):
    """Drops a text that comes twice."""

    def __call__(self, texts: Any) -> NDArray:
        return super().__call__(list(dict.fromkeys(texts)))


class Unmasked(OpenVinoEmbedder):
    """Ignores the mask where ``loses_mask`` says so."""

    def loses_mask(self, shape: tuple[int, ...]) -> bool:
        raise NotImplementedError

    def infer(self, tokens: Tokens) -> NDArray:
        mask = tokens["attention_mask"]
        seen = np.ones_like(mask) if self.loses_mask(mask.shape) else mask
        return super().infer({**tokens, "attention_mask": seen})


class UnmaskedMany(Unmasked):
    """Ignores it in batches of more than 31 texts."""

    def loses_mask(self, shape: tuple[int, ...]) -> bool:
        return shape[0] > 31


class UnmaskedSixteen(Unmasked):
    def loses_mask(self, shape: tuple[int, ...]) -> bool:
        return shape[1] == 16


class UnmaskedTwenty(Unmasked):
    def loses_mask(self, shape: tuple[int, ...]) -> bool:
        return shape[1] == 20


class UnmaskedLong(Unmasked):
    def loses_mask(self, shape: tuple[int, ...]) -> bool:
        return 40 <= shape[1] <= 200


class UnmaskedAtLimit(Unmasked):
    """Ignores it at the limit, where texts are cut."""

    def loses_mask(self, shape: tuple[int, ...]) -> bool:
        return bool(shape[1] == self._limit)


class TwoLimits(OpenVinoEmbedder):
    """Cuts short texts at 128 tokens with the tokenizer that it shares with long ones."""

    def _encode(self, texts: list[str]) -> Tokens:
        few = all(len(text) <= 40 for text in texts)
        shared = self._tokenizer.backend_tokenizer
        shared.enable_padding()
        shared.enable_truncation(128 if few else 256)
        encodings = shared.encode_batch(texts)
        made = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
        return {
            name: np.array([getattr(each, of) for each in encodings], np.int64) for name, of in made.items()
        }


class TwoLimitsByCall(OpenVinoEmbedder):
    """The same by the arguments of a call, which transformers writes into the shared tokenizer."""

    def _encode(self, texts: list[str]) -> Tokens:
        limit = 128 if all(len(text) <= 40 for text in texts) else 256
        encoded = self._tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="np")
        return {name: np.asarray(array, dtype=np.int64) for name, array in encoded.items()}


class WrongLimit(OpenVinoEmbedder):
    """Cuts one token early."""

    def __init__(self, model_dir: str) -> None:
        super().__init__(model_dir)
        self._limit = (self._limit or 0) - 1


class Composing(OpenVinoEmbedder):
    """Replaces letters of full width, ligatures and superscripts before it tokenizes."""

    def _encode(self, texts: list[str]) -> Tokens:
        import unicodedata  # noqa: PLC0415 # of this mistake only

        return super()._encode([unicodedata.normalize("NFKC", text) for text in texts])
