"""What a call of a normalizer does beside its values: form and memory of the result, input, warnings."""

from __future__ import annotations

import warnings
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np

from harness.cell import oracle
from harness.cell.normalization import Fields, Normalizer, allowed, call, fields
from harness.cell.oracle import compare
from harness.cell.vectors import integers, vectors

SEEN = ("typical", "one-row", "empty", "mixed-zero", "unit", "tiny", "huge", "nan", "inf")
"""The vectors of the checks of type, shape and side effects."""

ORDINARY = ("typical", "one-row", "mixed-zero")
"""The vectors on which a normalizer has nothing to warn of."""


def _count(faults: List[str], looked_at: Iterable[str], **facts: Any) -> Fields:
    return {
        "value": len(faults),
        "unit": "vectors",
        "bound": "equal",
        "allowed": 0,
        "sample": "; ".join(faults),
        "facts": {"vectors": ", ".join(looked_at), **facts},
    }


REFUSABLE = ("empty", "nan", "inf")
"""The vectors that scikit-learn refuses: ``l0.empty``, ``l0.nan`` and ``l0.inf`` tell of it."""


def refusal(normalize: Normalizer, vector: str, dtype: str) -> str:
    """The exception by which a vector is refused; empty if it is not."""
    try:
        call(normalize, vectors(vector, dtype))
    except Exception as error:  # noqa: BLE001 - any exception is a refusal
        return f"{type(error).__name__}: {error}"
    return ""


def list_seen(normalize: Normalizer, dtype: str) -> List[str]:
    """The vectors of the checks of form and side effects that the normalizer does not refuse."""
    return [name for name in SEEN if name not in REFUSABLE or not refusal(normalize, name, dtype)]


# The result


def _form(result: Any) -> Tuple[str, Any, str]:
    return type(result).__name__, getattr(result, "shape", None), str(getattr(result, "dtype", "none"))


def form(normalize: Normalizer, dtype: str) -> Fields:
    """Count vectors whose result is not an array of the same shape and dtype."""
    faults, seen = [], list_seen(normalize, dtype)
    for vector in seen:
        rows = vectors(vector, dtype)
        result = call(normalize, rows)
        if _form(result) != _form(rows):
            faults.append(f"{vector}: {_form(result)} from {_form(rows)}")
    return _count(faults, seen)


def side_effects(normalize: Normalizer, dtype: str) -> Fields:
    """Count vectors that were modified, or whose memory the result shares."""
    faults, seen = [], list_seen(normalize, dtype)
    for vector in seen:
        rows = vectors(vector, dtype)
        before = rows.tobytes()
        with np.errstate(all="ignore"):
            result = normalize(rows)
        if rows.tobytes() != before:
            faults.append(f"{vector}: the input was modified")
        elif rows.size and np.shares_memory(result, rows):
            faults.append(f"{vector}: the result shares the memory of the input")
    return _count(faults, seen)


def is_input_unused(embed: Callable[[List[str]], Any], normalize: Normalizer, texts: List[str]) -> bool:
    """Whether the arrays of an embedder may be normalized in place: it makes each anew, and keeps none."""
    first = embed(texts)
    if not isinstance(first, np.ndarray) or not first.flags.writeable:
        return False
    before = first.copy()
    call_in_place(normalize, first)
    again = embed(texts)
    return bool(not np.shares_memory(first, again) and np.array_equal(before, again, equal_nan=True))


def call_in_place(normalize: Normalizer, rows: np.ndarray) -> Any:
    """Normalize, and leave the rows as the normalizer leaves them."""
    with np.errstate(all="ignore"):
        return normalize(rows)


def reuse(normalize: Normalizer, dtype: str) -> Fields:
    """Count results that change when other rows are normalized: as many, fewer, more."""
    first = vectors("typical", dtype)
    others = {"as many": first[::-1].copy(), "one": vectors("one-row", dtype), "more": np.tile(first, (4, 1))}
    faults = []
    for name, other in others.items():
        kept = call_in_place(normalize, first.copy())
        before = np.array(kept)
        call_in_place(normalize, other)
        if np.asarray(kept).tobytes() != before.tobytes():
            faults.append(f"a result changes when {name} rows are normalized")
    return {**_count(faults, others), "unit": "results overwritten"}


def memory(normalize: Normalizer, dtype: str) -> Fields:
    """Count vectors whose result is read-only or has negative strides; C order is a fact."""
    faults, order = [], "C"
    for vector in ("typical", "one-row", "many-rows"):
        result = np.asarray(call_in_place(normalize, vectors(vector, dtype)))
        if not result.flags.writeable:
            faults.append(f"{vector}: the result is read-only")
        if min(result.strides) < 0:
            faults.append(f"{vector}: the result has strides {result.strides}")
        if not result.flags.c_contiguous:
            order = "other"
    return _count(faults, ("typical", "one-row", "many-rows"), order=order)


# Inputs that an embedder does not return


def one_vector(name: str, normalize: Normalizer, dtype: str) -> Fields:
    """Whether a vector without a batch is refused, by any exception, or is normalized."""
    row = vectors("one-row", dtype)
    exact = oracle.normalize(row)
    try:
        result = call(normalize, row[0].copy())
    except Exception as error:  # noqa: BLE001 - whatever it raises is the observation
        right, said = True, f"{type(error).__name__}: {error}"
    else:
        flat = oracle.Exact(exact.high[0], exact.low[0], exact.exponent[0], exact.dtype)
        found = compare(result, flat, allowed(name, row, exact))
        right, said = found.within, f"returned it {'normalized' if found.within else f'as {found.sample}'}"
    return {
        "value": int(right),
        "unit": "refused or normalized",
        "bound": "equal",
        "allowed": 1,
        "sample": said,
        "facts": {"raised": said},
    }


KINDS: Dict[str, Callable[[], np.ndarray]] = {
    "list": lambda: vectors("mixed-zero", "float64"),
    "byte-order": lambda: vectors("mixed-zero", "float32"),
    "uint8": lambda: integers("uint8"),
    "bool": lambda: integers("uint8") % 2 == 1,
}
"""Kind of input -> the same numbers as an ordinary array."""


def other_kind(name: str, normalize: Normalizer, kind: str) -> Fields:
    """Measure the error on a list, on another byte order, and on small integers; either order is right."""
    rows = KINDS[kind]()
    given: Any = rows
    if kind == "list":
        given = rows.tolist()
    if kind == "byte-order":
        given = rows.astype(rows.dtype.newbyteorder("S"))
    exact = oracle.normalize(rows)
    limit = allowed(name, rows.astype(exact.dtype), exact)
    try:
        result = call_in_place(normalize, given)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the observation
        raised = f"it raises {type(error).__name__}: {error}"
        return fields(oracle.Difference(np.inf, limit, sample=raised))
    if isinstance(result, np.ndarray) and not result.dtype.isnative:
        result = result.astype(result.dtype.newbyteorder("="))
    return fields(compare(result, exact, limit))


# Warnings


def warn(normalize: Normalizer, dtype: str) -> Fields:
    """Count ordinary vectors at which the normalizer warns, or NumPy meets an invalid operation.

    Underflow is only a fact: small elements underflow when they are squared, and NumPy ignores it.
    """
    faults, underflow = [], False
    for vector in ORDINARY:
        rows = vectors(vector, dtype)
        said = _complaint(normalize, rows, under="ignore")
        if said is not None:
            faults.append(f"{vector}: {said}")
        elif _complaint(normalize, rows, under="raise") is not None:
            underflow = True
    return _count(faults, ORDINARY, underflow=underflow)


def _complaint(normalize: Normalizer, rows: np.ndarray, *, under: Any) -> Optional[str]:
    """The first warning or floating-point error of a call, by its type and text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with np.errstate(all="raise", under=under):
            try:
                normalize(rows.copy())
            except FloatingPointError as error:
                return f"FloatingPointError: {error}"
    return f"{caught[0].category.__name__}: {caught[0].message}" if caught else None
