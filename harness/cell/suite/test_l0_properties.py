"""Properties over the whole range of each dtype: Hypothesis draws rows, the oracle knows what is due.

An example is right if shape, dtype, finiteness, zero rows and every value within its bound are; unit length
follows. By hand, with fresh seeds: ``"profile": "explore"`` in the spec; what is found goes to
``explored.KEPT``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given

from harness.cell import bounds
from harness.cell.explored import KEPT, Search, finite_rows, safe

if TYPE_CHECKING:
    from harness.cell.normalization import Normalizer
    from harness.cell.record import Record


@pytest.mark.check("l0.property-safe")
def test_property_safe(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows whose squares fit, as any formula must manage."""
    extra = 0.0 if normalizer == "stable" else bounds.SAFE_UNDERFLOW
    search = Search(normalizer, normalize, extra)

    @given(finite_rows(dtype))
    def explore(rows: np.ndarray) -> None:
        search.try_rows(safe(rows))

    for kept in KEPT[dtype]:
        explore = example(np.array(kept, dtype))(explore)
    explore()
    record(**search.fields())


@pytest.mark.check("l0.property-full")
def test_property_full(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Any finite rows, as a right normalizer must manage."""
    search = Search(normalizer, normalize, 0.0)

    @given(finite_rows(dtype))
    def explore(rows: np.ndarray) -> None:
        search.try_rows(rows)

    for kept in KEPT[dtype]:
        explore = example(np.array(kept, dtype))(explore)
    explore()
    record(**search.fields())
