"""The calls of latency scenarios, with all preparation done before the timing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from harness.cell.interface import CellSpec, Scenario, load_normalizer

DIMENSION = 384
SEED = 20261101
TYPICAL = range(20, 200)
"""Range of lengths of timed texts, in characters; the corpus also holds extremes."""

PAGE = 4096
PLACES = 7
"""Number of places in a memory page at which the rows begin, in turn.

A load after a store to the same place in another page is delayed: 32 rows took 1.7 times as long in
processes with such a memory placement.
"""
LARGE = 1 << 20
"""Bytes from which rows have one place: they span many pages, and copies would empty the cache."""


@dataclass(frozen=True)
class Target:
    """A call without arguments, with a note for the reader of its times."""

    call: Callable[[], Any]
    facts: Dict[str, Any] = field(default_factory=dict)


def make_normalize(scenario: Scenario, spec: CellSpec) -> Target:
    """Normalize seeded standard normal rows, shape (batch, 384); the reference gets them as a tensor."""
    rows = np.random.default_rng(SEED).standard_normal((scenario.batch, DIMENSION)).astype(scenario.dtype)
    placed = place_rows(rows)
    facts: Dict[str, Any] = {"shape": list(rows.shape), "places": len(placed)}
    if scenario.target != "reference":
        normalize, arrays = load_normalizer(spec, scenario.target), cycle(placed)
        return Target(lambda: normalize(next(arrays)), facts)
    import torch  # noqa: PLC0415 - a process that times a normalizer alone need not have it
    from sentence_transformers.util import normalize_embeddings  # noqa: PLC0415 - likewise

    tensors = cycle([torch.from_numpy(array) for array in placed])
    note = "the tensors are made beforehand; the time excludes conversion from NumPy and back"
    return Target(lambda: normalize_embeddings(next(tensors)), {**facts, "note": note})


def place_rows(rows: np.ndarray) -> List[np.ndarray]:
    """Copies of the rows (n, d) at different places of a memory page; one copy of large rows."""
    if rows.nbytes >= LARGE:
        return [rows]
    copies = []
    for number in range(PLACES):
        memory = np.empty(rows.nbytes + 2 * PAGE, dtype=np.uint8)
        start = -memory.ctypes.data % PAGE + number * PAGE // PLACES // 64 * 64
        copy = memory[start : start + rows.nbytes].view(rows.dtype).reshape(rows.shape)
        copy[...] = rows
        copies.append(copy)
    return copies


def make_openvino(texts: List[str], subject: Callable[[List[str]], Any], spec: CellSpec) -> Target:
    """Embed with the subject, then normalize by hand, as a service does; a service is called as it is."""
    facts: Dict[str, Any] = {"characters": sum(map(len, texts))}
    if spec.service:
        return Target(lambda: subject(texts), {**facts, "note": "text to vector, as the service returns it"})
    normalize = load_normalizer(spec, spec.normalizers[0])
    note = "text to unit vector; the time includes tokenization, inference, pooling and normalization"
    return Target(lambda: normalize(subject(texts)), {**facts, "note": note})


def make_sentence_transformers(texts: List[str], model: Any) -> Target:
    """Embed and normalize with the reference, in one batch, so both pad to the longest text.

    Both sort texts by length, which has no effect within one batch.
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


def pick_texts(corpus: Sequence[str], batch: int, *, own: bool) -> List[str]:
    """Texts for a timed call, with repetitions if there are too few.

    Of the shipped corpus, the first ones of ordinary length. Of a team's ``own`` texts, a sample with the
    lengths that these have: each text stands for an equal share of them, one text for the median.
    """
    if own:
        by_length = sorted(corpus, key=len)
        return [by_length[(2 * index + 1) * len(by_length) // (2 * batch)] for index in range(batch)]
    typical = [text for text in corpus if len(text) in TYPICAL] or list(corpus)
    return [typical[index % len(typical)] for index in range(batch)]
