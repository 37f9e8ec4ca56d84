"""L0: what a call does beside its values: memory, warnings, other inputs. By hand: ``--only 'l0.*'``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cell import calls

if TYPE_CHECKING:
    from harness.cell.normalization import Normalizer
    from harness.cell.record import Record

IN_PLACE = "the normalizer works in place, on arrays that the embedder makes anew"


def skip_in_place(normalize: Normalizer, request: pytest.FixtureRequest) -> None:
    """Skip if the embedder gives its arrays away: nobody else sees what happens to them."""
    subject = request.getfixturevalue("answers").subject
    if calls.is_input_unused(subject, normalize, ["the red house", "two green cars"]):
        pytest.skip(IN_PLACE)


@pytest.mark.check("l0.dtype-shape")
def test_dtype_shape(dtype: str, normalize: Normalizer, record: Record) -> None:
    """Shape and dtype of all vectors."""
    record(**calls.form(normalize, dtype))


@pytest.mark.check("l0.input-unmodified")
def test_input_unmodified(
    dtype: str, normalize: Normalizer, request: pytest.FixtureRequest, record: Record
) -> None:
    """The input is neither modified nor shared."""
    found = calls.side_effects(normalize, dtype)
    if found["value"]:
        skip_in_place(normalize, request)
    record(**found)


@pytest.mark.check("l0.result-kept")
def test_result_kept(dtype: str, normalize: Normalizer, record: Record) -> None:
    """Results after further calls."""
    record(**calls.reuse(normalize, dtype))


@pytest.mark.check("l0.result-memory")
def test_result_memory(dtype: str, normalize: Normalizer, record: Record) -> None:
    """Flags and strides of results."""
    record(**calls.memory(normalize, dtype))


@pytest.mark.check("l0.warnings")
def test_warnings(dtype: str, normalize: Normalizer, record: Record) -> None:
    """Warnings and floating-point errors on ordinary rows."""
    record(**calls.warn(normalize, dtype))


@pytest.mark.check("l0.input-kinds")
def test_input_kinds(kind: str, normalizer: str, normalize: Normalizer, record: Record) -> None:
    """The same numbers in another container, byte order or dtype."""
    record(**calls.other_kind(normalizer, normalize, kind))


@pytest.mark.check("l0.one-dimensional")
def test_one_dimensional(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """One vector without a batch."""
    record(**calls.one_vector(normalizer, normalize, dtype))
