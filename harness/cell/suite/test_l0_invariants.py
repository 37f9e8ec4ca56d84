"""What holds for a right normalizer whatever the right answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cell import invariants, vectors

if TYPE_CHECKING:
    from harness.cell.normalization import Normalizer
    from harness.cell.record import Record


@pytest.mark.check("l0.dtype-shape")
def test_dtype_shape(dtype: str, normalize: Normalizer, record: Record) -> None:
    """Whatever the rows are."""
    record(**invariants.form(normalize, dtype))


@pytest.mark.check("l0.input-unmodified")
def test_input_unmodified(dtype: str, normalize: Normalizer, record: Record) -> None:
    """Neither changed nor shared."""
    record(**invariants.side_effects(normalize, dtype))


@pytest.mark.check("l0.unit-length")
def test_unit_length(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Norms of the results."""
    record(**invariants.unit_length(normalizer, normalize, vectors.vectors("typical", dtype)))


@pytest.mark.check("l0.idempotent")
def test_idempotent(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Twice is once."""
    record(**invariants.idempotence(normalizer, normalize, vectors.vectors("typical", dtype)))


@pytest.mark.check("l0.scale-invariant")
def test_scale_invariant(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """A power of two changes nothing."""
    record(**invariants.scale_invariance(normalizer, normalize, vectors.vectors("typical", dtype)))


@pytest.mark.check("l0.one-dimensional")
def test_one_dimensional(dtype: str, normalize: Normalizer, record: Record) -> None:
    """What is raised says which axis is missing."""
    said = "nothing: it returned"
    try:
        normalize(vectors.vectors("one-row", dtype)[0])
    except Exception as error:  # noqa: BLE001 - whatever it raises is the observation
        said = f"{type(error).__name__}: {error}"
    clear = said.startswith("AxisError") and "axis 1 is out of bounds for array of dimension 1" in said
    record(
        value=int(clear), unit="clear errors", bound="equal", allowed=1, sample=said, facts={"raised": said}
    )
