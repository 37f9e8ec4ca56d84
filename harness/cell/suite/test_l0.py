"""L0: normalization against the oracle and the reference, and properties. By hand: ``--only 'l0.*'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Union

import numpy as np
import pytest

from harness.cell import normalization, oracle, vectors
from harness.cell import vectors as inputs
from harness.cell.calls import refusal
from harness.cell.explored import Search, draw_examples, finite_rows, safe, safe_rows
from harness.cell.oracle import compare
from harness.cell.recipes import RECIPES, AbsentError
from harness.cell.suite.test_l0_calls import skip_in_place

if TYPE_CHECKING:
    from harness.cell.embedded import Answers
    from harness.cell.normalization import Normalizer
    from harness.cell.record import Record


# Normalization and reference against the oracle


def _hold(vector: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    rows = vectors.vectors(vector, dtype)
    record(**normalization.against_oracle(normalizer, normalize, rows, normalization.reference))


def _hold_zeros(vector: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    rows = vectors.vectors(vector, dtype)
    record(**normalization.against_oracle_with_zeros(normalizer, normalize, rows, normalization.reference))


def _skip_refusal(normalize: Normalizer, dtype: str) -> None:
    """Skip no rows if they are refused: an embedder returns them for no texts only."""
    refused = refusal(normalize, "empty", dtype)
    if refused:
        pytest.skip(f"the normalizer refuses an empty batch: {refused}")


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
    _skip_refusal(normalize, dtype)
    _hold("empty", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.zero")
def test_zero(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Zeros only."""
    _hold_zeros("zero", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.mixed-zero")
def test_mixed_zero(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Zero rows among others."""
    _hold_zeros("mixed-zero", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.many-rows")
def test_many_rows(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """A batch of several blocks."""
    _hold_zeros("many-rows", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.signed-zero")
def test_signed_zero(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Zeros of both signs, alone and among numbers."""
    _hold_zeros("signed-zero", normalizer, dtype, normalize, record)


@pytest.mark.check("l0.single")
def test_single(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """One non-zero element per row: the root of a square is exact, so the result must be exactly 1 or -1."""
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
    """All magnitudes in one batch."""
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
    """The row length with the error nearest to its bound; all errors are in the facts."""
    found = {
        d: normalization.against_oracle(
            normalizer, normalize, vectors.row_of(d, dtype), normalization.reference
        )
        for d in vectors.DIMENSIONS
    }
    worst = max(found, key=lambda d: found[d]["value"] / found[d]["allowed"])
    errors = {f"ulp_at_{d}": entry["value"] for d, entry in found.items()}
    record(**{**found[worst], "facts": {"d": worst, **found[worst]["facts"], **errors}})


def _skip_read_only(rows: np.ndarray, normalize: Normalizer, request: pytest.FixtureRequest) -> None:
    """Skip read-only rows that a normalizer cannot write to, if it may write to those of the embedder."""
    if rows.flags.writeable:
        return
    try:
        normalization.call(normalize, rows)
    except ValueError:
        skip_in_place(normalize, request)


@pytest.mark.check("l0.layout")
def test_layout(  # noqa: PLR0913, PLR0917 # the axes of the check are arguments
    layout: str,
    normalizer: str,
    dtype: str,
    normalize: Normalizer,
    request: pytest.FixtureRequest,
    record: Record,
) -> None:
    """The same numbers in another order of memory."""
    rows = vectors.laid_out(layout, dtype)
    _skip_read_only(rows, normalize, request)
    record(**normalization.against_oracle(normalizer, normalize, rows, normalization.reference))


@pytest.mark.check("l0.margin")
def test_margin(normalizer: str, dtype: str, normalize: Normalizer, answers: Answers, record: Record) -> None:
    """Scale the embeddings of the corpus until the normalizer breaks."""
    returned = answers.returned()
    found = normalization.measure_margin(normalizer, normalize, returned, dtype)
    served = ("float32", "float16") if hasattr(answers.subject, "variant") else (str(returned.dtype),)
    record(**{**found, "facts": {**found["facts"], "served": " ".join(served)}})


@pytest.mark.check("l0.integer")
def test_integer(normalizer: str, integer: str, normalize: Normalizer, record: Record) -> None:
    """Integers have float64 results; the reference rejects them."""
    record(**normalization.fields(normalization.measure(normalizer, normalize, vectors.integers(integer))))


# Normalization against the reference utility on the same vectors.


def _hold_parity(rows: np.ndarray, normalizer: str, normalize: Normalizer, record: Record) -> None:
    record(**normalization.parity(normalizer, normalize, rows, normalization.reference))


@pytest.mark.check("l0.parity-typical")
def test_parity_typical(
    vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record
) -> None:
    """Ordinary rows, the main claim of the sweep."""
    if vectors == "empty":
        _skip_refusal(normalize, dtype)
    _hold_parity(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-small")
def test_small(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Small rows with norms above the eps of the reference."""
    _hold_parity(inputs.vectors("small", dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-zero")
def test_parity_zero(
    vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record
) -> None:
    """Zero rows, where the guards of the two differ."""
    _hold_parity(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-extreme")
def test_extreme(vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows whose squares overflow or underflow."""
    _hold_parity(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-non-finite")
def test_non_finite(vectors: str, normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows with NaN and infinities."""
    _hold_parity(inputs.vectors(vectors, dtype), normalizer, normalize, record)


@pytest.mark.check("l0.parity-layout")
def test_parity_layout(  # noqa: PLR0913, PLR0917 # the axes of the check are arguments
    layout: str,
    normalizer: str,
    dtype: str,
    normalize: Normalizer,
    request: pytest.FixtureRequest,
    record: Record,
) -> None:
    """The same numbers in another memory layout."""
    rows = inputs.laid_out(layout, dtype)
    _skip_read_only(rows, normalize, request)
    _hold_parity(rows, normalizer, normalize, record)


@pytest.mark.check("l0.parity-dimensions")
def test_parity_dimensions(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """The row length with the distance nearest to its bound."""
    found = {
        d: normalization.parity(normalizer, normalize, inputs.row_of(d, dtype), normalization.reference)
        for d in inputs.DIMENSIONS
    }
    worst = max(found, key=lambda d: found[d]["value"] / found[d]["allowed"])
    record(**{**found[worst], "facts": {"d": worst, **found[worst]["facts"]}})


@pytest.mark.check("l0.parity-integer")
def test_parity_integer(normalizer: str, integer: str, normalize: Normalizer, record: Record) -> None:
    """Integers, which the reference rejects."""
    _hold_parity(inputs.integers(integer), normalizer, normalize, record)


# Properties of a right normalizer


@pytest.mark.check("l0.unit-length")
def test_unit_length(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Norms of the results."""
    record(**normalization.unit_length(normalizer, normalize, vectors.vectors("typical", dtype)))


@pytest.mark.check("l0.idempotent")
def test_idempotent(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Normalizing twice equals normalizing once."""
    record(**normalization.idempotence(normalizer, normalize, vectors.vectors("typical", dtype)))


@pytest.mark.check("l0.scale-invariant")
def test_scale_invariant(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Scaling by a power of two has no effect."""
    record(**normalization.scale_invariance(normalizer, normalize, vectors.vectors("typical", dtype)))


# Properties over the whole range of each dtype, with rows drawn by Hypothesis
#
# An example passes if shape, dtype, finiteness and zero rows are right and every value is within its bound,
# which implies unit length. For fresh seeds set ``"profile": "explore"`` in the spec, and add counterexamples
# to ``explored.KEPT``.


@pytest.mark.check("l0.property-safe")
def test_property_safe(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Rows whose squares fit, which every formula must normalize."""
    search = Search(normalizer, normalize, 0.0 if normalizer == "stable" else oracle.SAFE_UNDERFLOW)
    for rows in draw_examples(safe_rows, dtype):
        search.try_rows(safe(rows))
    record(**search.fields())


@pytest.mark.check("l0.property-full")
def test_property_full(normalizer: str, dtype: str, normalize: Normalizer, record: Record) -> None:
    """Any finite rows, which a right normalizer must normalize."""
    search = Search(normalizer, normalize, 0.0)
    for rows in draw_examples(finite_rows, dtype):
        search.try_rows(rows.copy())
    record(**search.fields())


LOOKED_AT = ("typical", "zero", "mixed-zero", "subnormal", "tiny", "huge")


@pytest.mark.check("l0.others")
def test_others(other: str, dtype: str, record: Record) -> None:
    """Errors by vector in the facts, whatever the dtype of the result is: api.promotion tells it."""
    facts: Dict[str, Union[float, str]] = {}
    for name in LOOKED_AT:
        rows = vectors.vectors(name, dtype)
        exact = oracle.normalize(rows)
        try:
            result = np.asarray(normalization.call(RECIPES[other], rows))
        except AbsentError as error:
            pytest.skip(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a library raises is the observation
            facts[name] = f"raises {type(error).__name__}"
            continue
        found = compare(result.astype(dtype), exact, normalization.allowed(other, rows, exact))
        facts[f"{name}_ulp"] = float(oracle.element_errors(result, exact).max())
        facts[name] = "right" if found.within else found.sample
    record(value=facts.get("typical_ulp"), unit="ulp", facts=facts)


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
