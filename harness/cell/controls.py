"""Controls: models with one fault, which every tolerance must detect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import numpy as np
import torch

from harness.cell import reference
from harness.cell.comparison import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence


ROUNDED = {"float16-weights": torch.float16, "bfloat16-weights": torch.bfloat16}
SLIGHTEST = {"float32": "float16-weights", "float16": "bfloat16-weights"}
"""The smallest detectable fault for each output dtype; float16 output is rounded like float16 weights."""

VOID = "the weights of this checkpoint are that short already: rounding them changes nothing"
"""Why a control of shorter weights is skipped."""

SEEN_FACTOR = 3.0
"""Smallest ratio of a control to the tolerance; near the tolerance a detection would be luck."""

LONGEST = 300
"""Largest length of a sentence in controls, in characters: padding has an effect, at low cost."""


FEWEST = 24
"""Sentences that are chosen at least, if there are as many: with a few, a control changes no ranking."""


def choose_sentences(corpus: List[Sentence], per_kind: int = 2) -> List[Sentence]:
    """Choose a small part of the corpus with every kind, without long texts unless there are few others."""
    short = [sentence for sentence in corpus if len(sentence.text) <= LONGEST]
    if len(short) < FEWEST:
        short = sorted(corpus, key=lambda sentence: len(sentence.text))[:FEWEST]
    kinds: Dict[str, List[Sentence]] = {}
    for sentence in short:
        kinds.setdefault(sentence.kind, []).append(sentence)
    while len(kinds) * per_kind < FEWEST and per_kind < len(short):
        per_kind += 1
    return [sentence for group in kinds.values() for sentence in group[:per_kind]]


class Controls:
    """Hidden states and embeddings of the torch model, without and with one fault, each computed once."""

    def __init__(self, model: Any, sentences: List[Sentence]) -> None:
        self.sentences = sentences
        self._model = model
        self._tokens = reference.tokenize(model, [sentence.text for sentence in self.sentences])
        self._known: Dict[str, NDArray] = {}

    def hidden(self, fault: str = "") -> NDArray:
        """Hidden states (n, t, h) of the model with a fault (default: none), zeros where masked.

        Those for ``unmasked-pooling`` keep masked states.
        """
        if fault not in self._known:
            self._known[fault] = self._infer(fault)
        return self._known[fault]

    def embeddings(self, fault: str = "") -> NDArray:
        """Mean-pooled unit vectors (n, h), float64, of the model with a fault."""
        if fault == "unmasked-pooling":
            return unit_rows(self.hidden(fault).mean(axis=1))
        mask = self._tokens["attention_mask"].numpy()[:, :, None]
        return unit_rows((self.hidden(fault) * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1))

    def is_void(self, fault: str) -> bool:
        """Whether a fault changes nothing, because the weights of the checkpoint are that short already."""
        if fault not in ROUNDED:
            return False
        transformer = reference.transformer_of(self._model)
        shorter = {ROUNDED[fault], torch.bfloat16}  # what fits bfloat16 fits float16, but for its range
        return any(reference.is_rounded(transformer, dtype) for dtype in shorter)

    def apart(self, fault: str) -> Tuple[float, float]:
        """Largest absolute difference due to the fault: of hidden states, of unit embeddings."""
        hidden = 0.0 if fault == "unmasked-pooling" else np.abs(self.hidden(fault) - self.hidden()).max()
        return float(hidden), float(np.abs(self.embeddings(fault) - self.embeddings()).max())

    def _infer(self, fault: str) -> NDArray:
        transformer = reference.transformer_of(self._model)
        if fault in ROUNDED:
            rounded = reference.with_rounded_weights(transformer, ROUNDED[fault])
            return reference.hidden_states(rounded, self._tokens)
        if fault == "no-attention-mask":
            everything = torch.ones_like(self._tokens["attention_mask"])
            states = reference.hidden_states(transformer, {**self._tokens, "attention_mask": everything})
            masked: NDArray = states * self._tokens["attention_mask"].numpy()[:, :, None]
            return masked
        if fault == "unmasked-pooling":
            return self._unmasked()
        if fault:
            raise KeyError(f"no control makes the fault {fault!r}")
        return reference.hidden_states(transformer, self._tokens)

    def _unmasked(self) -> NDArray:
        """Hidden states including those of the padding, as in a mean without the mask."""
        with torch.no_grad():
            output = reference.transformer_of(self._model)(**self._tokens, return_dict=True)
        states: NDArray = output.last_hidden_state.float().numpy()
        return states
