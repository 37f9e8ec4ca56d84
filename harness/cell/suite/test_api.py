"""API: existence and behaviour of names. By hand: ``--only 'api.*'``.

Each name is a case: a missing name is one failure instead of an import error of the module.
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any, Callable, Dict, Tuple, Type

import numpy as np
import pytest

from harness.cell.library import FEATURES, DifferentError
from harness.cell.recipes import RECIPES, AbsentError
from harness.cell.record import Record, clean

RAISES: Dict[str, Tuple[Type[Exception], ...]] = {
    "ndarray": (AttributeError, TypeError),
    "list": (AttributeError, TypeError),
    "tensor-1d": (IndexError,),
    "tensor-int32": (RuntimeError, TypeError),
    "tensor-int64": (RuntimeError, TypeError),
}
"""Exceptions of ``util.normalize_embeddings``, documented or observed since 2.7."""

ROWS = ((3.0, 4.0, 12.0), (-8.0, 6.0, 0.0))
"""Rows with integer norms: 1-norms 19 and 14, 2-norms 13 and 10."""

COLUMNS = ((3.0, 4.0), (-4.0, 3.0))

EXACT = {
    "1": ((19.0, 14.0), (7.0, 7.0)),
    "2": ((13.0, 10.0), (5.0, 5.0)),
    "inf": ((12.0, 8.0), (4.0, 4.0)),
    "-inf": ((3.0, 0.0), (3.0, 3.0)),
}
"""Order -> norms of ROWS along axis 1, norms of COLUMNS along axis 0; all exact in float16."""


def find_name(name: str) -> Any:
    """Import the module part of a dotted name and get the rest as attributes.

    Raises:
        ImportError, AttributeError: the name does not exist.
    """
    parts = name.split(".")
    found: Any = importlib.import_module(parts[0])
    for index, part in enumerate(parts[1:], start=2):
        if not hasattr(found, part) and inspect.ismodule(found):
            importlib.import_module(".".join(parts[:index]))
        found = getattr(found, part)
    return found


@pytest.mark.check("api.names")
def test_names(name: str, record: Record) -> None:
    """Find the name; a name in brackets is a parameter."""
    dotted, _, parameter = name.rstrip(")").partition("(")
    missing = ""
    try:
        found = find_name(dotted)
        if parameter and parameter not in inspect.signature(found).parameters:
            missing = f"{dotted} has no parameter {parameter}"
    except (ImportError, AttributeError) as error:
        missing = str(error)
    record(value=bool(missing), unit="missing", bound="equal", allowed=0, sample=missing)


def make_input(kind: str) -> Any:
    """Make an input of the utility: the same numbers in different containers."""
    import torch

    rows = np.array(ROWS, dtype=np.float32)
    if kind == "ndarray":
        return rows
    if kind == "list":
        return rows.tolist()
    if kind == "tensor-1d":
        return torch.from_numpy(rows[0])
    return torch.from_numpy(rows.astype(kind.partition("-")[2]))


@pytest.mark.check("api.utility-rejects")
def test_utility_rejects(input: str, record: Record) -> None:  # noqa: A002 - the axis is called so
    """Record type and message of the exception, which shows changes between releases."""
    from sentence_transformers.util import normalize_embeddings

    try:
        returned = normalize_embeddings(make_input(input))
        seen = {"exception": "", "message": "", "returned": clean(repr(returned), 200)}
        sample = f"returned {seen['returned']}"
    except Exception as error:  # noqa: BLE001 - the exception is the measurement
        documented = isinstance(error, RAISES[input])
        seen = {"exception": type(error).__name__, "message": clean(str(error), 300)}
        sample = f"raised {seen['exception']}: {seen['message']}"
    else:
        documented = False
    record(
        value=documented,
        unit="raises as documented",
        bound="equal",
        allowed=1,
        sample="" if documented else sample,
        facts=seen,
    )


@pytest.mark.check("api.utility-accepts")
def test_utility_accepts(dtype: str, record: Record) -> None:
    """Check shape and dtype; layer L0 checks values."""
    import torch
    from sentence_transformers.util import normalize_embeddings

    returned = normalize_embeddings(torch.from_numpy(np.array(ROWS, dtype=dtype)))
    found = f"{type(returned).__name__} {str(returned.dtype).rpartition('.')[2]} {tuple(returned.shape)}"
    expected = f"Tensor {dtype} (2, 3)"
    record(
        value=found == expected,
        unit="as given",
        bound="equal",
        allowed=1,
        sample="" if found == expected else f"{found}, but should be {expected}",
        facts={"returned": found},
    )


@pytest.mark.check("api.no-norm-method")
def test_no_norm_method(record: Record) -> None:
    """Check that arrays have no ``norm``, which is why the utility fails on arrays."""
    record(value=hasattr(np.ndarray, "norm"), unit="ndarray.norm", bound="equal", allowed=0)


@pytest.mark.check("api.norm-order")
def test_norm_order(order: str, dtype: str, record: Record) -> None:
    """Compare with exact norms, which need no rounding in any dtype."""
    along_rows, along_columns = EXACT[order]
    rows, columns = np.array(ROWS, dtype=dtype), np.array(COLUMNS, dtype=dtype)
    found = [
        *np.linalg.norm(rows, ord=float(order), axis=1),
        *np.linalg.norm(rows, ord=float(order), axis=-1),
        *np.linalg.norm(columns, ord=float(order), axis=0),
        np.linalg.norm(rows[0], ord=float(order)),
    ]
    expected = [*along_rows, *along_rows, *along_columns, along_rows[0]]
    errors = np.abs(np.array(found, dtype=np.float64) - np.array(expected))
    worst = int(np.argmax(errors))
    record(value=errors[worst], unit="from the exact norm", bound="max", allowed=0, worst=(worst,))


@pytest.mark.check("api.norm-dtype")
def test_norm_dtype(order: str, dtype: str, record: Record) -> None:
    """Check the dtype of norms along an axis."""
    found = np.linalg.norm(np.array(ROWS, dtype=dtype), ord=float(order), axis=1, keepdims=True).dtype
    record_dtype(record, found, dtype)


@pytest.mark.check("api.norm-keepdims")
def test_norm_keepdims(axis: str, record: Record) -> None:
    """Check the shapes with and without ``keepdims``."""
    rows = np.array(ROWS, dtype=np.float32)
    reduced = rows.shape[1] if axis == "0" else rows.shape[0]
    expected = {True: (1, reduced) if axis == "0" else (reduced, 1), False: (reduced,)}
    found = {keep: np.linalg.norm(rows, axis=int(axis), keepdims=keep).shape for keep in (True, False)}
    sample = "" if found == expected else f"{found}, but should be {expected}"
    record(value=found == expected, unit="as documented", bound="equal", allowed=1, sample=sample)


@pytest.mark.check("api.norm-scalar")
def test_norm_scalar(dtype: str, record: Record) -> None:
    """Check that the norm of a vector is a NumPy scalar of its dtype."""
    found = np.linalg.norm(np.array(ROWS[0], dtype=dtype))
    seen = f"{type(found).__name__} of dimension {np.ndim(found)}"
    scalar = isinstance(found, np.generic) and found.dtype == np.dtype(dtype)
    record(
        value=scalar,
        unit=f"a {dtype} scalar",
        bound="equal",
        allowed=1,
        sample="" if scalar else seen,
        facts={"returned": seen},
    )


NORMS: Dict[str, Callable[[Any], Any]] = {
    "where-1d": lambda rows: np.where(np.linalg.norm(rows[0]) == 0, 1, np.linalg.norm(rows[0])),
    "divide-by-float64-scalar": lambda rows: rows[0] / np.float64(np.linalg.norm(rows[0])),
}
"""Parts of a recipe for one vector; the others are whole ones for rows."""


@pytest.mark.check("api.promotion")
def test_promotion(recipe: str, dtype: str, record: Record) -> None:
    """Record the dtype and what a zero row becomes: NumPy 1 used the value of a scalar, NumPy 2 its dtype."""
    rows = np.array([*ROWS, (0.0, 0.0, 0.0)], dtype=dtype)
    try:
        with np.errstate(all="ignore"):
            found = np.asarray({**RECIPES, **NORMS}[recipe](rows))
    except AbsentError as error:
        pytest.skip(str(error))
    except Exception as error:  # noqa: BLE001 - whatever a library raises is the observation
        record(value=None, unit="bytes an element", facts={"raises": type(error).__name__, "input": dtype})
        return
    facts = {"dtype": str(found.dtype), "input": dtype}
    if recipe not in NORMS:
        facts["zeros"] = "NaN" if np.isnan(found[-1]).any() else "other" if found[-1].any() else "zeros"
    record(value=found.itemsize, unit="bytes an element", facts=facts)


def record_dtype(record: Record, found: Any, dtype: str) -> None:
    """Compare a dtype with the dtype of the input."""
    kept = found == np.dtype(dtype)
    record(
        value=kept,
        unit="dtype kept",
        bound="equal",
        allowed=1,
        sample="" if kept else f"{found}, but should be {dtype}",
        facts={"dtype": re.sub(r"\W", "", str(found))},
    )


# Functions around the service, tried on what they document


@pytest.mark.check("api.library")
def test_library(feature: str, reference_model: Any, record: Record) -> None:
    """Call a function of the library; that it is missing, raises or returns something else is the result."""
    facts: Dict[str, Any] = {}
    told = ""
    try:
        FEATURES[feature](reference_model, facts)
    except DifferentError as error:
        told = str(error)
    except Exception as error:  # noqa: BLE001 # whatever the library raises
        told = f"raises {type(error).__name__}: {error}"
    record(
        value=int(not told),
        unit="as documented",
        bound="equal",
        allowed=1,
        sample=clean(told, 200),
        facts={**facts, **({"does": clean(told, 200)} if told else {})},
    )
