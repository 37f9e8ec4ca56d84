"""Normalization against the reference utility on the same vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cell import normalization, others
from harness.cell import vectors as inputs

if TYPE_CHECKING:
    import numpy as np

    from harness.cell.normalization import Normalizer
    from harness.cell.record import Record


def _hold(rows: np.ndarray, normalizer: str, normalize: Normalizer, record: Record) -> None:
    record(**normalization.parity(normalizer, normalize, rows, others.reference))


@pytest.mark.check("l0.parity-typical")
def test_typical(vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Ordinary rows: the claim that the sweep is about."""
    _hold(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-small")
def test_small(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows that are small, but no smaller than the eps of the reference."""
    _hold(inputs.vectors("small", dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-zero")
def test_zero(vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Zero rows, where the guards of the two differ."""
    _hold(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-extreme")
def test_extreme(vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows beyond what the squares can hold."""
    _hold(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-non-finite")
def test_non_finite(vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows with NaN and infinities."""
    _hold(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-layout")
def test_layout(layout: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """The same numbers in another order of memory."""
    _hold(inputs.laid_out(layout, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-dimensions")
def test_dimensions(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """The length whose distance comes nearest to its bound."""
    found = {
        d: normalization.parity(normalizer, normalize, inputs.row_of(d, dtype), others.reference)
        for d in inputs.DIMENSIONS
    }
    worst = max(found, key=lambda d: found[d]["value"] / found[d]["allowed"])
    record(**{**found[worst], "facts": {"d": worst, **found[worst]["facts"]}})


@pytest.mark.check("l0.parity-integer")
def test_integer(normalizer: str, integer: str, normalize: Normalizer, record: Record) -> None:
    """Integers, which the reference does not take."""
    _hold(inputs.integers(integer), normalizer, normalize, record)
