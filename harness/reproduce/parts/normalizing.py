"""Normalizers, exact arithmetic and the reference on rows of numbers."""

import argparse
import importlib
import sys
from decimal import Decimal, getcontext
from functools import reduce
from math import copysign, isfinite, isinf, isnan, nan

import numpy as np
import torch

from harness.cell.normalizers import stable
from harness.reproduce.parts.common import DTYPE, arrange, normalize

NORMALIZER = ("", "")


def normalize_manual(rows):
    """Divide each row by its norm, with zero norms replaced by one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def normalize_stable(rows):
    """Normalize by the function above."""
    return stable(rows)


def normalize_own(rows):
    """Normalize by the function of the service, imported from its folder."""
    module, name = NORMALIZER
    return reduce(getattr, name.split("."), importlib.import_module(module))(rows)


def keep_vectors(rows):
    """The vectors of the service are final."""
    return np.asarray(rows)


def load_nothing(arguments):
    """Nothing to load."""
    return None


def load_normalizer(arguments):
    """Where the normalizer is imported from."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subject", action="append", required=True, help="folder that holds the normalizer")
    sys.path[:0] = parser.parse_args(arguments).subject


def exact(rows):
    """The right result: 60 decimal digits, rounded once; zero rows stay zero, a NaN makes its row NaN."""
    getcontext().prec = 60
    units = np.zeros(rows.shape, rows.dtype if rows.dtype.kind == "f" else np.float64)
    for unit, row in zip(units, rows.tolist()):
        norm = sum((Decimal(x) ** 2 for x in row if isfinite(x)), Decimal(0)).sqrt()
        if all(map(isfinite, row)):
            unit[:] = [float(Decimal(x) / norm) for x in row] if norm else row
        else:
            unit[:] = [nan if isinf(x) or any(map(isnan, row)) else copysign(0.0, x) for x in row]
    return units


def find_errors(found, expected, right):
    """Errors in units in the last place (ULP) of the right result; inf where shape, dtype or NaN differ."""
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return np.full(right.shape, np.inf)
    known = np.where(np.isfinite(right), right, 1).astype(right.dtype)
    with np.errstate(all="ignore"):
        off = np.abs(found.astype(np.float64) - expected) / np.spacing(np.abs(known)).astype(np.float64)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return np.where(same, 0, np.where(np.isfinite(off), off, np.inf))


def compare_rows(found, expected, right):
    """The worst row of both sides in words, and its largest error."""
    if found.shape != expected.shape or not found.size:
        return (
            f"{found.dtype} {found.shape}",
            f"{expected.dtype} {expected.shape}",
            float(found.shape != expected.shape),
        )
    errors = find_errors(found, expected, right)
    row, _ = np.unravel_index(np.argmax(errors), errors.shape)
    wanted = show_row(expected[row])
    exact = "" if show_row(right[row]) == wanted else f"; exact arithmetic gives {show_row(right[row])}"
    return show_row(found[row]), f"{wanted}{exact}", errors.max()


def show_row(row):
    """At most six numbers of a row, with its dtype."""
    more = ", ..." if len(row) > 6 else ""
    return f"{row.dtype} [{', '.join(f'{x:.9g}' for x in row[:6].tolist())}{more}]"


def measure_values(_, given):
    """Normalize rows, and compare with exact arithmetic."""
    rows = np.array(given, dtype=DTYPE)
    right = exact(rows)
    with np.errstate(all="ignore"):
        return compare_rows(np.asarray(normalize(arrange(rows))), right, right)


def measure_twice(_, given):
    """Normalize rows twice, and compare with once."""
    rows = np.array(given, dtype=DTYPE)
    once = np.asarray(normalize(rows.copy()))
    return compare_rows(np.asarray(normalize(once.copy())), once, exact(rows))


def reference(rows):
    """What sentence_transformers.util.normalize_embeddings does with a tensor (n, d)."""
    tensor = torch.from_numpy(np.array(rows, order="K", copy=True))
    return torch.nn.functional.normalize(tensor, p=2, dim=1).numpy()


def measure_parity(_, given):
    """Normalize rows, and compare with the utility of sentence-transformers."""
    rows = np.array(given, dtype=DTYPE)
    right, wanted = exact(rows), reference(arrange(rows))
    with np.errstate(all="ignore"):
        return compare_rows(np.asarray(normalize(arrange(rows))), wanted, right)


def measure_untouched(_, given):
    """Normalize rows, which should stay as they are, in new memory."""
    rows = np.array(given, dtype=DTYPE)
    before = rows.copy()
    result = np.asarray(normalize(rows))
    changed, shared = rows.tobytes() != before.tobytes(), np.shares_memory(rows, result)
    observed = (
        "the input is modified" if changed else "the result is memory of the input" if shared else "neither"
    )
    return observed, "the input unmodified, and new memory", float(changed or shared)


def measure_result_kept(_, given):
    """Keep a result while other rows are normalized."""
    rows = np.array(given, dtype=DTYPE)
    kept = np.asarray(normalize(rows.copy()))
    before = kept.copy()
    normalize(rows[::-1].copy())
    return compare_rows(kept, before, before)
