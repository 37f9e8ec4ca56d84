"""What a latency scenario calls: everything that is not to be timed is done before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from harness.cell.catalogue import Scenario
from harness.cell.spec import CellSpec
from harness.cell.subject import load_normalizer

DIMENSION = 384
SEED = 20261101
TYPICAL = range(20, 200)
"""Characters of the texts that are timed; the corpus holds extremes for other purposes."""


@dataclass(frozen=True)
class Target:
    """A call without arguments, and what has to be known to read its times."""

    call: Callable[[], Any]
    facts: Dict[str, Any] = field(default_factory=dict)


def make_normalize(scenario: Scenario, spec: CellSpec) -> Target:
    """Normalize seeded standard normal rows, shape (batch, 384); the reference gets them as a tensor."""
    rows = np.random.default_rng(SEED).standard_normal((scenario.batch, DIMENSION)).astype(scenario.dtype)
    if scenario.target != "reference":
        normalize = load_normalizer(spec, scenario.target)
        return Target(lambda: normalize(rows), {"shape": list(rows.shape)})
    import torch  # noqa: PLC0415 - a process that times a normalizer alone need not have it
    from sentence_transformers.util import normalize_embeddings  # noqa: PLC0415 - likewise

    tensor = torch.from_numpy(rows)
    note = "the tensor is made beforehand: conversion from NumPy and back is not in the time"
    return Target(lambda: normalize_embeddings(tensor), {"shape": list(rows.shape), "note": note})


def make_openvino(
    texts: List[str], subject: Callable[[List[str]], Any], normalize: Callable[[Any], Any]
) -> Target:
    """Embed with the subject, then normalize by hand, as a service does."""
    note = "text to unit vector: tokenization, inference, pooling and normalization are in the time"
    return Target(lambda: normalize(subject(texts)), {"characters": sum(map(len, texts)), "note": note})


def make_sentence_transformers(texts: List[str], model: Any) -> Target:
    """Embed and normalize with the reference, in one batch, so that both pad to the longest of all texts.

    Sorting texts by length, as both do before they cut lists into batches, changes nothing in one batch.
    """
    note = "as embed.openvino: text to unit vector, in one batch; encode() also sorts texts by length"

    def call() -> Any:
        return model.encode(
            texts,
            batch_size=len(texts),
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )

    return Target(call, {"characters": sum(map(len, texts)), "note": note})


def pick_texts(corpus: Sequence[str], batch: int) -> List[str]:
    """The first texts of ordinary length, from the start again where there are too few."""
    typical = [text for text in corpus if len(text) in TYPICAL] or list(corpus)
    return [typical[index % len(typical)] for index in range(batch)]
