"""What holds for a right normalizer without anyone knowing the right answer; each says what it measured."""

from __future__ import annotations

from typing import Any, Iterable, List, Tuple

import numpy as np

from harness.cell import oracle
from harness.cell.normalization import Fields, Normalizer, allowed, call, fields
from harness.cell.ulp import compare
from harness.cell.vectors import shifted, vectors

SHIFTS = {"float16": (-2, 3), "float32": (-20, 20), "float64": (-200, 200)}
"""Powers of two that keep the squares of typical rows in the dtype: scaling by them changes no result."""

SEEN = ("typical", "one-row", "empty", "mixed-zero", "tiny", "huge", "nan", "inf")
"""The vectors on which type, shape and side effects are looked at."""


def unit_length(name: str, normalize: Normalizer, rows: np.ndarray) -> Fields:
    """How far norms of the results are from 1, in eps of the dtype.

    With the division off by u at most and the norm by r, a result is off by r + u, at most half of
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
    """Distance of normalizing twice from normalizing once.

    The norm of the first result is off 1 by up to its bound + 0.5, and the second adds its own bound.
    """
    once = call(normalize, rows)
    exact = oracle.normalize(rows)
    limit = 2 * allowed(name, rows, exact) + 0.5
    return fields(compare(call(normalize, once), oracle.known(once, exact), limit))


def scale_invariance(name: str, normalize: Normalizer, rows: np.ndarray) -> Fields:
    """Worst distance between results of rows and of rows times a power of two: both bounds together."""
    exact = oracle.normalize(rows)
    due = oracle.known(call(normalize, rows), exact)
    limit = 2 * allowed(name, rows, exact)
    found = [
        (compare(call(normalize, shifted(rows, shift)), due, limit), shift)
        for shift in SHIFTS[rows.dtype.name]
    ]
    worst, shift = max(found, key=lambda pair: pair[0].value)
    return fields(worst, facts={"power_of_two": shift})


def _count(faults: List[str], looked_at: Iterable[str]) -> Fields:
    return {
        "value": len(faults),
        "unit": "vectors",
        "bound": "equal",
        "allowed": 0,
        "sample": "; ".join(faults),
        "facts": {"vectors": ", ".join(looked_at)},
    }


def _form(result: Any) -> Tuple[str, Any, str]:
    return type(result).__name__, getattr(result, "shape", None), str(getattr(result, "dtype", "none"))


def form(normalize: Normalizer, dtype: str) -> Fields:
    """Number of vectors that come back as something else than an array of the same shape and dtype."""
    faults = []
    for vector in SEEN:
        rows = vectors(vector, dtype)
        result = call(normalize, rows)
        if _form(result) != _form(rows):
            faults.append(f"{vector}: {_form(result)} from {_form(rows)}")
    return _count(faults, SEEN)


def side_effects(normalize: Normalizer, dtype: str) -> Fields:
    """Number of vectors that were changed, or whose memory the result shares."""
    faults = []
    for vector in SEEN:
        rows = vectors(vector, dtype)
        before = rows.tobytes()
        result = call(normalize, rows)
        if rows.tobytes() != before:
            faults.append(f"{vector}: the input was modified")
        elif rows.size and np.shares_memory(result, rows):
            faults.append(f"{vector}: the result shares the memory of the input")
    return _count(faults, SEEN)
