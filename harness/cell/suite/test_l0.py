"""L0: normalization against the oracle and the reference, and properties. By hand: ``--only 'l0.*'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Union

import numpy as np
import pytest
from hypothesis import example, given

from harness.cell import normalization, oracle, vectors
from harness.cell import vectors as inputs
from harness.cell.explored import KEPT, Search, finite_rows, safe
from harness.cell.oracle import compare

if TYPE_CHECKING:
    from harness.cell.normalization import Normalizer
    from harness.cell.record import Record


# Normalization against the oracle: is it right, and if not, is the reference?


def _hold(vector: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    rows = vectors.vectors(vector, dtype)
    record(**normalization.against_oracle(normalizer, normalize, rows, normalization.reference))


def _hold_zeros(vector: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    rows = vectors.vectors(vector, dtype)
    record(**normalization.against_oracle_with_zeros(normalizer, normalize, rows, normalization.reference))


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
    found = normalization.against_oracle_with_zeros(normalizer, normalize, rows, normalization.reference)
    exact = normalization.against_oracle(normalizer, normalize, rows, normalization.reference)
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
        d: normalization.against_oracle(
            normalizer, normalize, vectors.row_of(d, dtype), normalization.reference
        )
        for d in vectors.DIMENSIONS
    }
    worst = max(found, key=lambda d: found[d]["value"] / found[d]["allowed"])
    errors = {f"ulp_at_{d}": entry["value"] for d, entry in found.items()}
    record(**{**found[worst], "facts": {"d": worst, **found[worst]["facts"], **errors}})


@pytest.mark.check("l0.layout")
def test_layout(layout: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """The same numbers in another order of memory."""
    rows = vectors.laid_out(layout, dtype)
    record(**normalization.against_oracle(normalizer, normalize, rows, normalization.reference))


@pytest.mark.check("l0.integer")
def test_integer(normalizer: str, integer: str, normalize: Normalizer, record: Record) -> None:
    """Integers are due in float64; the reference takes none."""
    record(**normalization.fields(normalization.measure(normalizer, normalize, vectors.integers(integer))))


# Normalization against the reference utility on the same vectors.


def _hold_parity(rows: np.ndarray, normalizer: str, normalize: Normalizer, record: Record) -> None:
    record(**normalization.parity(normalizer, normalize, rows, normalization.reference))


@pytest.mark.check("l0.parity-typical")
def test_parity_typical(
    vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record
) -> None:
    """Ordinary rows: the claim that the sweep is about."""
    _hold_parity(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-small")
def test_small(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows that are small, but no smaller than the eps of the reference."""
    _hold_parity(inputs.vectors("small", dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-zero")
def test_parity_zero(
    vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record
) -> None:
    """Zero rows, where the guards of the two differ."""
    _hold_parity(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-extreme")
def test_extreme(vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows beyond what the squares can hold."""
    _hold_parity(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-non-finite")
def test_non_finite(vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows with NaN and infinities."""
    _hold_parity(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-layout")
def test_parity_layout(
    layout: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record
) -> None:
    """The same numbers in another order of memory."""
    _hold_parity(inputs.laid_out(layout, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-dimensions")
def test_parity_dimensions(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """The length whose distance comes nearest to its bound."""
    found = {
        d: normalization.parity(normalizer, normalize, inputs.row_of(d, dtype), normalization.reference)
        for d in inputs.DIMENSIONS
    }
    worst = max(found, key=lambda d: found[d]["value"] / found[d]["allowed"])
    record(**{**found[worst], "facts": {"d": worst, **found[worst]["facts"]}})


@pytest.mark.check("l0.parity-integer")
def test_parity_integer(normalizer: str, integer: str, normalize: Normalizer, record: Record) -> None:
    """Integers, which the reference does not take."""
    _hold_parity(inputs.integers(integer), normalizer, normalize, record)


# What holds for a right normalizer whatever the right answer is.


@pytest.mark.check("l0.dtype-shape")
def test_dtype_shape(dtype: str, normalize: Normalizer, record: Record) -> None:
    """Whatever the rows are."""
    record(**normalization.form(normalize, dtype))


@pytest.mark.check("l0.input-unmodified")
def test_input_unmodified(dtype: str, normalize: Normalizer, record: Record) -> None:
    """Neither changed nor shared."""
    record(**normalization.side_effects(normalize, dtype))


@pytest.mark.check("l0.unit-length")
def test_unit_length(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Norms of the results."""
    record(**normalization.unit_length(normalizer, normalize, vectors.vectors("typical", dtype)))


@pytest.mark.check("l0.idempotent")
def test_idempotent(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Twice is once."""
    record(**normalization.idempotence(normalizer, normalize, vectors.vectors("typical", dtype)))


@pytest.mark.check("l0.scale-invariant")
def test_scale_invariant(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """A power of two changes nothing."""
    record(**normalization.scale_invariance(normalizer, normalize, vectors.vectors("typical", dtype)))


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


# Properties over the whole range of each dtype: Hypothesis draws rows, the oracle knows what is due.
#
# An example is right if shape, dtype, finiteness, zero rows and every value within its bound are; unit
# length follows. By hand, with fresh seeds: ``"profile": "explore"`` in the spec; what is found goes to
# ``explored.KEPT``.


@pytest.mark.check("l0.property-safe")
def test_property_safe(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows whose squares fit, as any formula must manage."""
    extra = 0.0 if normalizer == "stable" else oracle.SAFE_UNDERFLOW
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
        result = normalization.call(normalization.OTHERS[other], rows)
        found = compare(result, exact, normalization.allowed(other, rows, exact))
        facts[f"{name}_ulp"] = found.value
        facts[name] = "right" if found.within else found.sample
    record(value=facts["typical_ulp"], unit="ulp", facts=facts)


def _record_series(normalize: Normalizer, dtype: str, record: Record) -> None:
    facts = normalization.measure_series(normalize, dtype)
    worst = max((error for error in facts.values() if error is not None), default=None)
    record(value=worst, unit="ulp", facts=facts)


@pytest.mark.check("l0.precision")
def test_precision(dtype: str, normalize: Normalizer, record: Record) -> None:
    """The series of a normalizer, in the facts."""
    _record_series(normalize, dtype, record)


@pytest.mark.check("l0.precision-reference")
def test_precision_reference(dtype: str, record: Record) -> None:
    """The series of the reference, in the facts."""
    _record_series(normalization.reference, dtype, record)
