"""Normalization against the oracle: is it right, and if not, is the reference?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cell import normalization, others, vectors

if TYPE_CHECKING:
    from harness.cell.normalization import Normalizer
    from harness.cell.record import Record


def _hold(vector: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    rows = vectors.vectors(vector, dtype)
    record(**normalization.against_oracle(normalizer, normalize, rows, others.reference))


def _hold_zeros(vector: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    rows = vectors.vectors(vector, dtype)
    record(**normalization.against_oracle_with_zeros(normalizer, normalize, rows, others.reference))


@pytest.mark.check("l0.typical")
def test_typical(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Standard normal rows."""
    _hold("typical", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.one-row")
def test_one_row(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """A batch of one."""
    _hold("one-row", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.empty")
def test_empty(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """No rows at all."""
    _hold("empty", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.zero")
def test_zero(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Nothing but zeros."""
    _hold_zeros("zero", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.mixed-zero")
def test_mixed_zero(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Zero rows among others."""
    _hold_zeros("mixed-zero", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.many-rows")
def test_many_rows(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """A batch that is worked on in blocks."""
    _hold_zeros("many-rows", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.signed-zero")
def test_signed_zero(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Zeros of both signs, alone and among numbers."""
    _hold_zeros("signed-zero", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.single")
def test_single(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """One element a row that is not zero: the root of a square is exact, so no rounding excuses another 1."""
    rows = vectors.vectors("single", dtype)
    found = normalization.against_oracle_with_zeros(normalizer, normalize, rows, others.reference)
    exact = normalization.against_oracle(normalizer, normalize, rows, others.reference)
    record(**(found if exact["value"] == 0 else {**exact, "allowed": 0.0}))


@pytest.mark.check("l0.subnormal")
def test_subnormal(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Multiples of the smallest number of the dtype."""
    _hold("subnormal", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.tiny")
def test_tiny(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows whose squares underflow."""
    _hold("tiny", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.huge")
def test_huge(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows whose squares overflow."""
    _hold("huge", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.mixed")
def test_mixed(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """All sizes in one batch."""
    _hold("mixed", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.nan")
def test_nan(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows with NaN among others."""
    _hold("nan", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.inf")
def test_inf(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows with infinities among others."""
    _hold("inf", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.dimensions")
def test_dimensions(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """The length whose error comes nearest to its bound; all errors are in the facts."""
    found = {
        d: normalization.against_oracle(normalizer, normalize, vectors.row_of(d, dtype), others.reference)
        for d in vectors.DIMENSIONS
    }
    worst = max(found, key=lambda d: found[d]["value"] / found[d]["allowed"])
    errors = {f"ulp_at_{d}": entry["value"] for d, entry in found.items()}
    record(**{**found[worst], "facts": {"d": worst, **found[worst]["facts"], **errors}})


@pytest.mark.check("l0.layout")
def test_layout(layout: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """The same numbers in another order of memory."""
    rows = vectors.laid_out(layout, dtype)
    record(**normalization.against_oracle(normalizer, normalize, rows, others.reference))


@pytest.mark.check("l0.integer")
def test_integer(normalizer: str, integer: str, normalize: Normalizer, record: Record) -> None:
    """Integers are due in float64; the reference takes none."""
    record(**normalization.fields(normalization.measure(normalizer, normalize, vectors.integers(integer))))
