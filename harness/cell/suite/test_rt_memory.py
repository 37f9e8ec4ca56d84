"""RT: what normalizing a large batch costs in memory at its peak. By hand: ``--only 'rt.memory*'``."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

from harness.cell.memory import PeakUnknownError, measure_growth
from harness.cell.record import Record

ROWS, DIMENSION = 32768, 384
ALLOWED = 3.0
"""In sizes of the input: the result, one temporary of the squares, and one copy of the scaled rows.

The manual formula needs 1 (the temporary is gone before the division), with 2 for a normalizer that scales a
copy first; more is a temporary that nobody needs. Norms, pages and pools of the allocator are below 0.1.
"""


@pytest.fixture(scope="module")
def batch() -> Any:
    """Return about 50 MB of rows, float32; tiled, because nobody looks at their values."""
    tile = np.random.default_rng(5).standard_normal((1024, DIMENSION)).astype(np.float32)
    return np.tile(tile, (ROWS // len(tile), 1))


@pytest.fixture(scope="module")
def reference(batch: Any) -> float:
    """Return what the reference needs for the same rows, in sizes of the input."""
    import torch
    from sentence_transformers.util import normalize_embeddings

    return measure(normalize_embeddings, torch.from_numpy(batch), batch.nbytes)


def measure(normalize: Callable[[Any], Any], rows: Any, size: int) -> float:
    """Growth of the peak in one call, after a small one that loads what is loaded once."""
    normalize(rows[:64])
    try:
        return measure_growth(lambda: normalize(rows)) / size
    except PeakUnknownError as error:
        pytest.skip(str(error))


@pytest.mark.check("rt.memory")
def test_memory(batch: Any, reference: float, normalize: Callable[[Any], Any], record: Record) -> None:
    """The reference is recorded beside it."""
    record(
        value=measure(normalize, batch, batch.nbytes),
        unit="times the input",
        bound="max",
        allowed=ALLOWED,
        facts={"reference": round(reference, 4), "input_bytes": batch.nbytes},
    )
