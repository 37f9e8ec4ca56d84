"""RT: what normalizing a large batch costs in memory at its peak. By hand: ``--only 'rt.memory*'``."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

from harness.cell.memory import PeakUnknownError, measure_growth
from harness.cell.record import Record

ROWS, DIMENSION = 65536, 384
ALLOWED = 3.0
"""In sizes of the input: the result, one temporary of the squares, and one copy of the scaled rows.

The manual formula needs 1 (the temporary is gone before the division), with 2 for a normalizer that scales a
copy first; more is a temporary that nobody needs. Norms, pages and pools of the allocator are below 0.1.
"""


@pytest.fixture(scope="module")
def batch() -> Any:
    """Return about 100 MB of rows, float32; tiled, because nobody looks at their values."""
    tile = np.random.default_rng(5).standard_normal((1024, DIMENSION)).astype(np.float32)
    return np.tile(tile, (ROWS // len(tile), 1))


@pytest.mark.check("rt.memory")
def test_memory(batch: Any, normalize: Callable[[Any], Any], record: Record) -> None:
    """The reference on the same rows is recorded beside it, both in sizes of the input."""
    import torch
    from sentence_transformers.util import normalize_embeddings

    tensor = torch.from_numpy(batch)
    normalize(batch[:64])
    normalize_embeddings(tensor[:64])
    try:
        subject = measure_growth(lambda: normalize(batch)) / batch.nbytes
        reference = measure_growth(lambda: normalize_embeddings(tensor)) / batch.nbytes
    except PeakUnknownError as error:
        pytest.skip(str(error))
    record(
        value=subject,
        unit="times the input",
        bound="max",
        allowed=ALLOWED,
        facts={"reference": round(reference, 4), "input_bytes": batch.nbytes},
    )
