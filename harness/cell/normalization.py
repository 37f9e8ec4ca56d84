"""Measurements of the values of a normalizer: errors against oracle and reference, properties."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from harness.cell import oracle
from harness.cell.oracle import Difference, compare, compare_zeros, element_errors
from harness.cell.vectors import coarse, shifted

Normalizer = Callable[[np.ndarray], Any]
"""A function from an array (n, d) to an array (n, d)."""

Fields = Dict[str, Any]
"""Arguments of the ``record`` fixture."""

BLAME = {
    (True, True): "neither",
    (True, False): "reference",
    (False, True): "subject",
    (False, False): "both",
}
"""(subject is right, reference is right) -> what is wrong by the oracle."""


def call(normalize: Normalizer, rows: np.ndarray) -> Any:
    """Normalize without the IEEE warnings of NumPy; the result is judged instead.

    A normalizer that works in place has a result of its own, and the rows are put back.
    """
    before = rows.copy()
    with np.errstate(all="ignore"):
        result = normalize(rows)
    if rows.tobytes() != before.tobytes():
        result = np.array(result)
        rows[...] = before
    return result


def in_order(rows: np.ndarray) -> bool:
    """Whether the elements of a row are farther apart than rows, so sums run one element after the other.

    Strides tell it and flags do not: a slice of an array in Fortran order is not contiguous in either order.
    """
    return bool(min(rows.shape) > 1 and abs(rows.strides[0]) < abs(rows.strides[1]))


def _extra(exact: oracle.Exact) -> float:
    """Additional bound if results are subnormal."""
    info = np.finfo(exact.dtype)
    exponents = np.frexp(np.where(np.isfinite(exact.high), exact.high, 0))[1] + exact.exponent
    subnormal = (exact.high != 0) & (exponents <= int(info.minexp))
    return oracle.underflow(exact.dtype.name) if subnormal.any() else 0.0


def allowed(name: str, rows: np.ndarray, exact: oracle.Exact) -> float:
    """Allowed error of the normalizer ``name`` on these rows, in ULP."""
    own = oracle.allowed(name, exact.dtype.name, rows.shape[1], in_order=in_order(rows))
    return own + _extra(exact)


def measure(name: str, normalize: Normalizer, rows: np.ndarray) -> Difference:
    """Measure the error of a normalizer against the oracle."""
    exact = oracle.normalize(rows)
    return compare(call(normalize, rows), exact, allowed(name, rows, exact))


def measure_reference(reference: Normalizer, rows: np.ndarray) -> Difference:
    """Measure the error of the reference against the oracle; infinite if the reference raises."""
    exact = oracle.normalize(rows)
    limit = oracle.reference(exact.dtype.name, rows.shape[1]) + _extra(exact)
    try:
        return compare(reference(rows), exact, limit)
    except Exception as error:  # noqa: BLE001 - whatever the reference raises is the observation
        return Difference(math.inf, limit, sample=f"the reference raises {type(error).__name__}: {error}")


def fields(difference: Difference, **more: Any) -> Fields:
    """Convert a difference to arguments of the ``record`` fixture."""
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
    """Compare normalizer and reference with the oracle on these rows."""
    subject = measure(name, normalize, rows)
    blame, facts = _stated(subject, measure_reference(reference, rows))
    return fields(subject, blame=blame, facts=facts)


def against_oracle_with_zeros(
    name: str, normalize: Normalizer, rows: np.ndarray, reference: Normalizer
) -> Fields:
    """As ``against_oracle``; in addition zeros must stay zeros of their sign."""
    found = against_oracle(name, normalize, rows, reference)
    if found["value"] > found["allowed"]:
        return found
    zeros = compare_zeros(call(normalize, rows), oracle.normalize(rows))
    return fields(zeros, unit="zeros", blame=found["blame"], facts=found["facts"])


def parity(name: str, normalize: Normalizer, rows: np.ndarray, reference: Normalizer) -> Fields:
    """Compare the normalizer with the reference on these rows; the oracle shows which one is wrong.

    The tolerance is the sum of both bounds. ``control`` is the difference of rows with half the bits.
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


# Error by norm of the row, over the whole range of a dtype

STEPS = {"float16": 2, "float32": 8, "float64": 64}
"""Step between neighbouring norms, as an exponent of two."""


def measure_series(normalize: Normalizer, dtype: str) -> Dict[str, Optional[float]]:
    """``2^<k>`` -> worst error in ULP of rows (8, 16) with norm about 2**k; None if not finite."""
    info = np.finfo(dtype)
    powers = range(int(info.minexp) - int(info.nmant) + 4, int(info.maxexp), STEPS[dtype])
    ordinary = np.random.RandomState(3).uniform(0.125, 0.375, (8, 16))
    signs = np.where(np.arange(16) % 3, 1, -1)
    return {
        f"2^{power}": _worst(normalize, np.ldexp(ordinary * signs, power).astype(dtype)) for power in powers
    }


def _worst(normalize: Normalizer, rows: np.ndarray) -> Optional[float]:
    result = call(normalize, rows)
    worst = float(element_errors(result, oracle.normalize(rows)).max())
    return round(worst, 3) if np.isfinite(worst) else None


# Distance of embeddings from the norms at which a normalizer breaks its bound

MARGIN_ROWS = 4
"""Rows of the smallest and of the largest norms that are scaled; the result is that of the worst."""


def measure_margin(name: str, normalize: Normalizer, embeddings: np.ndarray, dtype: str) -> Fields:
    """Find the smallest factors, up and down, at which scaled embeddings break the bound of the normalizer.

    Factors are powers of two, so that scaling changes no digit. Beyond the factor at which a normalizer
    breaks it is taken to stay broken. A side without such a factor in the range of the dtype has None.

    Args:
        name: axis value of the normalizer, for its bound.
        normalize: the normalizer.
        embeddings: what the embedder returns (n, d), of any real dtype.
        dtype: the dtype in which they are normalized.
    """
    norms = np.sqrt(np.square(embeddings.astype(np.float64)).sum(axis=1))
    usable = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    if not usable.size:
        raise ValueError("no embedding has a finite norm above zero")
    ordered = usable[np.argsort(norms[usable])]
    rows = embeddings[np.unique(np.concatenate([ordered[:MARGIN_ROWS], ordered[-MARGIN_ROWS:]]))].astype(
        dtype
    )
    info, largest = np.finfo(dtype), int(np.frexp(np.abs(rows.astype(np.float64)).max())[1])
    factors = {
        "up": _first_broken(name, normalize, rows, range(1, int(info.maxexp) - largest + 1)),
        "down": _first_broken(name, normalize, rows, range(-1, int(info.minexp) - largest, -1)),
    }
    smallest_norm, largest_norm = float(norms[ordered[0]]), float(norms[ordered[-1]])
    known = [factor for factor in factors.values() if factor is not None]
    return {
        "value": min(known) if known else None,
        "unit": "times the norms",
        "facts": {
            **factors,
            "smallest norm": smallest_norm,
            "largest norm": largest_norm,
            "zero rows": float(np.count_nonzero(norms == 0) / len(norms)),
        },
    }


def _first_broken(name: str, normalize: Normalizer, rows: np.ndarray, exponents: range) -> Optional[float]:
    """The factor of the first exponent at which scaled rows break the bound; None without one."""

    def is_broken(scaled: np.ndarray) -> bool:
        try:
            return not measure(name, normalize, scaled).within
        except Exception:  # noqa: BLE001 - a normalizer that raises on these rows is broken there
            return True

    def breaks(place: int) -> bool:
        return is_broken(shifted(rows, exponents[place]))

    if is_broken(rows):
        return 1.0
    if not len(exponents) or not breaks(len(exponents) - 1):
        return None
    first, last = 0, len(exponents) - 1
    while first < last:
        middle = (first + last) // 2
        first, last = (first, middle) if breaks(middle) else (middle + 1, last)
    return float(2.0 ** abs(exponents[first]))


# Properties of a right normalizer that need no reference

SHIFTS = {"float16": (-2, 3), "float32": (-20, 20), "float64": (-200, 200)}
"""Exponents of two that keep the squares of typical rows in the dtype; scaling changes no result."""


def unit_length(name: str, normalize: Normalizer, rows: np.ndarray) -> Fields:
    """Measure the distance of the norms of the results from 1, in eps of the dtype.

    The error is at most u for the division and r for the norm, together r + u. That is at most half of
    ``bound + 0.5`` in eps = 2 u, where ``bound`` is 0.5 + r / u or more.
    """
    result = call(normalize, rows)
    (high, low), exponent = oracle.norms(result)
    off = np.abs((np.ldexp(high, exponent) - 1) + np.ldexp(low, exponent))[:, 0]
    off = np.where(np.isfinite(off), off, np.inf) / float(np.finfo(rows.dtype).eps)
    limit = (allowed(name, rows, oracle.normalize(rows)) + 0.5) / 2
    at = int(off.argmax())
    return {
        "value": float(off[at]),
        "unit": "eps",
        "bound": "max",
        "allowed": limit,
        "worst": (at,),
        "share": float((off > limit).mean()),
        "sample": f"norm {float(np.ldexp(high[at, 0], exponent[at, 0])):.9g}",
    }


def idempotence(name: str, normalize: Normalizer, rows: np.ndarray) -> Fields:
    """Measure the distance between normalizing twice and normalizing once.

    The norm of the first result differs from 1 by up to its bound + 0.5; the second adds its own bound.
    """
    once = call(normalize, rows)
    exact = oracle.normalize(rows)
    limit = 2 * allowed(name, rows, exact) + 0.5
    return fields(compare(call(normalize, once), oracle.known(once, exact), limit))


def scale_invariance(name: str, normalize: Normalizer, rows: np.ndarray) -> Fields:
    """Measure the distance between results of rows and of scaled rows, within the sum of both bounds."""
    exact = oracle.normalize(rows)
    due = oracle.known(call(normalize, rows), exact)
    limit = 2 * allowed(name, rows, exact)
    found = [
        (compare(call(normalize, shifted(rows, shift)), due, limit), shift)
        for shift in SHIFTS[rows.dtype.name]
    ]
    worst, shift = max(found, key=lambda pair: pair[0].value)
    return fields(worst, facts={"power_of_two": shift})


# The reference utility as a function of an array (n, d)
#
# Torch is imported in the call, so a cell without it fails case by case.


def to_tensor(rows: np.ndarray) -> Any:
    """A tensor of a copy; torch rejects negative strides and warns about read-only memory."""
    import torch  # noqa: PLC0415 - see above

    return torch.from_numpy(np.array(rows, order="K", copy=True))


def reference(rows: np.ndarray) -> np.ndarray:
    """``sentence_transformers.util.normalize_embeddings`` on the tensor of the same numbers."""
    from sentence_transformers.util import normalize_embeddings  # noqa: PLC0415 - see above

    return np.asarray(normalize_embeddings(to_tensor(rows)).numpy())
