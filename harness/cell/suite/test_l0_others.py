"""Beside the checks: other normalizers in the field, and where each formula breaks; recorded, never red."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Union

import pytest

from harness.cell import error_series, normalization, oracle, others, vectors
from harness.cell.ulp import compare

if TYPE_CHECKING:
    from harness.cell.normalization import Normalizer
    from harness.cell.record import Record

LOOKED_AT = ("typical", "zero", "mixed-zero", "subnormal", "tiny", "huge")


@pytest.mark.check("l0.others")
def test_others(other: str, dtype: str, record: Record) -> None:
    """Errors by vector, in the facts."""
    if other == "sklearn":
        pytest.importorskip("sklearn", reason="scikit-learn is not installed in this cell")
    facts: Dict[str, Union[float, str]] = {}
    for name in LOOKED_AT:
        rows = vectors.vectors(name, dtype)
        exact = oracle.normalize(rows)
        result = normalization.call(others.OTHERS[other], rows)
        found = compare(result, exact, normalization.allowed(other, rows, exact))
        facts[f"{name}_ulp"] = found.value
        facts[name] = "right" if found.within else found.sample
    record(value=facts["typical_ulp"], unit="ulp", facts=facts)


def _record_series(normalize: Normalizer, dtype: str, record: Record) -> None:
    facts = error_series.measure_series(normalize, dtype)
    worst = max((error for error in facts.values() if error is not None), default=None)
    record(value=worst, unit="ulp", facts=facts)


@pytest.mark.check("l0.precision")
def test_precision(dtype: str, normalize: Normalizer, record: Record) -> None:
    """The series of a normalizer, in the facts."""
    _record_series(normalize, dtype, record)


@pytest.mark.check("l0.precision-reference")
def test_precision_reference(dtype: str, record: Record) -> None:
    """The series of the reference, in the facts."""
    _record_series(others.reference, dtype, record)
