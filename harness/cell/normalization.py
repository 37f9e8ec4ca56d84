"""Measuring a normalizer: its error against the oracle, its distance from the reference, and blame."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Tuple

import numpy as np

from harness.cell import bounds, oracle
from harness.cell.ulp import Difference, compare, compare_zeros
from harness.cell.vectors import coarse

Normalizer = Callable[[np.ndarray], Any]
"""A function of an array (n, d) that should return an array (n, d)."""

Fields = Dict[str, Any]
"""What the ``record`` fixture takes."""

BLAME = {
    (True, True): "neither",
    (True, False): "reference",
    (False, True): "subject",
    (False, False): "both",
}
"""Who is wrong by the oracle, from whether (subject, reference) are right."""


def call(normalize: Normalizer, rows: np.ndarray) -> Any:
    """Normalize without NumPy's warnings of IEEE arithmetic: what comes out is judged."""
    with np.errstate(all="ignore"):
        return normalize(rows)


def in_order(rows: np.ndarray) -> bool:
    """Whether a row does not lie in one piece, so that rows are added up one element after the other."""
    return bool(rows.flags.f_contiguous and not rows.flags.c_contiguous)


def _extra(exact: oracle.Exact) -> float:
    """What is allowed more where some results are subnormal."""
    info = np.finfo(exact.dtype)
    exponents = np.frexp(np.where(np.isfinite(exact.high), exact.high, 0))[1] + exact.exponent
    subnormal = (exact.high != 0) & (exponents <= int(info.minexp))
    return bounds.underflow(exact.dtype.name) if subnormal.any() else 0.0


def allowed(name: str, rows: np.ndarray, exact: oracle.Exact) -> float:
    """ULPs allowed to the normalizer called ``name`` on these rows."""
    own = bounds.allowed(name, exact.dtype.name, rows.shape[1], in_order=in_order(rows))
    return own + _extra(exact)


def measure(name: str, normalize: Normalizer, rows: np.ndarray) -> Difference:
    """Error of a normalizer against the oracle."""
    exact = oracle.normalize(rows)
    return compare(call(normalize, rows), exact, allowed(name, rows, exact))


def measure_reference(reference: Normalizer, rows: np.ndarray) -> Difference:
    """Error of the reference against the oracle; infinite, with what was raised, where it raises."""
    exact = oracle.normalize(rows)
    limit = bounds.reference(exact.dtype.name, rows.shape[1]) + _extra(exact)
    try:
        return compare(reference(rows), exact, limit)
    except Exception as error:  # noqa: BLE001 - whatever the reference raises is the observation
        return Difference(math.inf, limit, sample=f"the reference raises {type(error).__name__}: {error}")


def fields(difference: Difference, **more: Any) -> Fields:
    """A difference as the ``record`` fixture takes it."""
    usual = {
        "value": difference.value,
        "unit": "ulp",
        "bound": "max",
        "allowed": difference.allowed,
        "worst": difference.worst,
        "share": difference.share,
        "sample": difference.sample,
    }
    return {**usual, **more}


def _stated(subject: Difference, reference: Difference) -> Tuple[str, Fields]:
    facts = {
        "subject_ulp": subject.value,
        "reference_ulp": reference.value,
        "reference_allowed": reference.allowed,
        "subject_sample": subject.sample,
        "reference_sample": reference.sample,
    }
    return BLAME[subject.within, reference.within], facts


def against_oracle(name: str, normalize: Normalizer, rows: np.ndarray, reference: Normalizer) -> Fields:
    """Is the normalizer right on these rows, and is the reference?"""
    subject = measure(name, normalize, rows)
    blame, facts = _stated(subject, measure_reference(reference, rows))
    return fields(subject, blame=blame, facts=facts)


def against_oracle_with_zeros(
    name: str, normalize: Normalizer, rows: np.ndarray, reference: Normalizer
) -> Fields:
    """As ``against_oracle``, and zeros must come back as zeros of their sign."""
    found = against_oracle(name, normalize, rows, reference)
    if found["value"] > found["allowed"]:
        return found
    zeros = compare_zeros(call(normalize, rows), oracle.normalize(rows))
    return fields(zeros, unit="zeros", blame=found["blame"], facts=found["facts"])


def parity(name: str, normalize: Normalizer, rows: np.ndarray, reference: Normalizer) -> Fields:
    """Does the normalizer equal the reference on these rows, and if not, who is wrong?

    Two right answers can be as far apart as both bounds together. ``control`` is what rows of half the bits
    would show.
    """
    subject, ours = measure(name, normalize, rows), measure_reference(reference, rows)
    blame, facts = _stated(subject, ours)
    if math.isinf(ours.value) and ours.sample.startswith("the reference raises"):
        return fields(ours, blame=blame, facts=facts)
    exact = oracle.normalize(rows)
    due = oracle.known(reference(rows), exact)
    apart = compare(call(normalize, rows), due, subject.allowed + ours.allowed)
    control = compare(oracle.normalize(coarse(rows.astype(exact.dtype))).rounded(), due, apart.allowed).value
    return fields(apart, blame=blame, facts=facts, control=control)
