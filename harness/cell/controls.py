"""Controls: the model in hand with one fault, which every tolerance must detect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import torch

from harness.cell import reference
from harness.cell.comparison import find_distances, find_token_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence


ROUNDED = ("float16-weights", "bfloat16-weights", "int8-weights")
"""Faults of weights by size; where one changes nothing, as of a short checkpoint, the next stands in."""

SLIGHTEST = ROUNDED[0]
"""The smallest fault that has to be detected."""

VOID = "this fault changes nothing of this model"
"""Why a control is skipped: a causal model ignores padding on the right, CLS pooling all other states."""

NOISE = 1e-6
"""Distance up to which two embeddings of one float32 model are equal."""

SEEN_FACTOR = {"float32": 3.0, "float16": 2.0}
"""Smallest ratio of a control to the tolerance of an output dtype; nearer, a detection would be luck.

Rounding of float16 output adds to the distance of a fault as a random direction does: 1.3e-3 by a fault and
3e-4 by rounding are 1.33e-3, so twice the tolerance is far enough.
"""

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
        self._known: Dict[str, Tuple[NDArray, NDArray]] = {}

    def choose(self, fault: str) -> str:
        """The fault that stands in for this one: itself, or for weights the next that changes the model.

        Empty if none does.
        """
        faults = ROUNDED[ROUNDED.index(fault) :] if fault in ROUNDED else (fault,)
        return next((each for each in faults if self.measure_embeddings(each) > NOISE), "")

    def embeddings(self, fault: str = "") -> NDArray:
        """Embeddings (n, d) of the model with a fault (default: none), by its own pooling, not normalized."""
        return self._compute(fault)[1]

    def observe(
        self, fault: str, allowed: float, output: str = "float32", *, states: bool = False
    ) -> Optional[Dict[str, Any]]:
        """The fields of an observation: how far a control is, and how far it has to be; None if it is void.

        ``states`` compares hidden states instead of embeddings.
        """
        chosen = self.choose(fault)
        if not chosen:
            return None
        return {
            "value": self.measure_states(chosen) if states else self.measure_embeddings(chosen),
            "unit": "distance",
            "bound": "min",
            "allowed": SEEN_FACTOR[output] * allowed,
            "sample": "" if chosen == fault else f"{chosen} for {fault}, which change nothing of this model",
            "facts": {"tolerance": allowed, "sentences": len(self.sentences), "control": chosen},
        }

    def measure_embeddings(self, fault: str) -> float:
        """The largest distance of an embedding due to a fault."""
        return float(find_distances(self.embeddings(fault), self.embeddings()).max())

    def measure_states(self, fault: str) -> float:
        """The largest distance of the state of a token due to a fault, relative to the state."""
        return float(find_token_distances(self._compute(fault)[0], self._compute("")[0]).max())

    def _compute(self, fault: str) -> Tuple[NDArray, NDArray]:
        """Hidden states (n, t, h), zeros where masked, and embeddings (n, d)."""
        if fault not in self._known:
            self._known[fault] = self._infer(fault)
        return self._known[fault]

    def _infer(self, fault: str) -> Tuple[NDArray, NDArray]:
        mask = self._tokens["attention_mask"]
        everything = torch.ones_like(mask)
        transformer = reference.transformer_of(self._model)
        if fault in ROUNDED:
            transformer = reference.with_rounded_weights(transformer, fault.partition("-")[0])
        elif fault not in ("", "no-attention-mask", "unmasked-pooling"):
            raise KeyError(f"no control makes the fault {fault!r}")
        seen = everything if fault == "no-attention-mask" else mask
        pooled = everything if fault == "unmasked-pooling" else mask
        states = reference.compute_states(transformer, {**self._tokens, "attention_mask": seen})
        embeddings = reference.pool(self._model, states, pooled)
        return (states * mask[:, :, None]).numpy(), embeddings
