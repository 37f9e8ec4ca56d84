"""Fixtures of layers L1 to GOLD: embeddings of the corpus by subject and reference, each computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

import numpy as np
import pytest

from harness.cell.corpus import Sentence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.controls import Controls


SLICE = 8
"""Texts in one call; padding all texts to the longest of the corpus would take seconds."""


def order_by_length(texts: List[str]) -> List[int]:
    """Indices of the texts, longest first."""
    return sorted(range(len(texts)), key=lambda row: -len(texts[row]))


def embed_in_slices(embedder: Any, texts: List[str]) -> NDArray:
    """Embed texts in slices of similar length; rows are in the order of ``texts``."""
    order = order_by_length(texts)
    slices = [order[start : start + SLICE] for start in range(0, len(order), SLICE)]
    parts = [np.array(embedder([texts[row] for row in rows])) for rows in slices]
    stacked = np.concatenate(parts)
    if len(stacked) != len(texts):
        raise ValueError(f"the embedder returns {len(stacked)} rows for {len(texts)} texts")
    restored: NDArray = stacked[np.argsort(order, kind="stable")]
    return restored


class Answers:
    """Embeddings of the corpus by the subject, in each available output dtype."""

    def __init__(self, subject: Any, texts: List[str]) -> None:
        self.subject = subject
        self._texts = texts
        self._known: Dict[str, NDArray] = {}

    def variant(self, output: str) -> Any:
        """The subject with this output dtype; the case is skipped if there is none.

        A subject without ``variant`` is judged in the dtype that it returns.
        """
        if hasattr(self.subject, "variant"):
            return self.subject.variant(output)
        returned = str(np.asarray(self.subject(["a text"])).dtype)
        if returned != output and returned in ("float32", "float16"):
            pytest.skip(f"the embedder returns {returned} and has no variant() for {output}")
        if output not in (returned, "float32"):
            pytest.skip(f"the embedder returns {returned}; judged as float32")
        return self.subject

    def returned(self) -> NDArray:
        """Embeddings of the corpus (n, d) in the dtype that the embedder returns by itself, as a new copy."""
        if "" not in self._known:
            self._known[""] = embed_in_slices(self.subject, self._texts)
        return self._known[""].copy()

    def embeddings(self, output: str) -> NDArray:
        """Embeddings of the corpus (n, d), not normalized, as a new copy."""
        if output not in self._known:
            variant = self.variant(output)
            own = variant is self.subject
            self._known[output] = self.returned() if own else embed_in_slices(variant, self._texts)
        return self._known[output].copy()


@pytest.fixture(scope="session")
def answers(subject: Any, corpus: List[Sentence]) -> Answers:
    """Return the embeddings of the corpus by the subject."""
    return Answers(subject, [sentence.text for sentence in corpus])


@pytest.fixture(scope="session")
def expected(reference_model: Any, corpus: List[Sentence]) -> NDArray:
    """Return ``encode(normalize_embeddings=True)`` of the corpus (n, d), read-only."""
    from harness.cell.reference import encode  # noqa: PLC0415 # torch

    texts = [sentence.text for sentence in corpus]
    embeddings = embed_in_slices(lambda part: encode(reference_model, part, normalize=True), texts)
    embeddings.setflags(write=False)
    return embeddings


@pytest.fixture(scope="session")
def controls(reference_model: Any, corpus: List[Sentence]) -> Controls:
    """Return the control models, which differ from the reference."""
    from harness.cell.controls import Controls  # noqa: PLC0415 # torch

    return Controls(reference_model, corpus)
