# /// script
# requires-python = "==3.11.*"
# dependencies = [
#   "numpy==1.26.2",
# ]
# ///
"""Rows of every magnitude in one batch are normalized separately: not with numpy 1.26.2.

The exit code is 1 as long as it fails, 0 once it does not, 2 if it cannot be tried.
"""

import sys
from decimal import Decimal, getcontext
from importlib.metadata import PackageNotFoundError, version
from math import copysign, isfinite, isinf, isnan, nan

import numpy as np

PACKAGES = ("numpy",)
ALLOWED = 3.03
UNIT = "ULP"
DTYPE = "float16"
INPUT = [[8192.0]]


def normalize(rows):
    """Divide each row by its norm, with zero norms replaced by one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def load(arguments):
    """Nothing to load."""
    return None


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


def measure(_, given):
    """Normalize rows, and compare with exact arithmetic."""
    rows = np.array(given, dtype=DTYPE)
    right = exact(rows)
    with np.errstate(all="ignore"):
        return compare_rows(np.asarray(normalize(rows)), right, right)


def attempt(tools, given):
    """What is observed, what is expected, and how far apart they are, which nothing is for an exception."""
    try:
        return measure(tools, given)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}", "no exception", float("nan")


def main():
    """Print both sides; 1 as long as they differ, 0 once they do not, 2 if it cannot be tried here."""
    try:
        tools = load(sys.argv[1:])
    except Exception as error:
        print(f"cannot be tried here: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for name in PACKAGES:
        try:
            print(f"{name} {version(name)}")
        except PackageNotFoundError:
            print(f"{name} is not installed")
    observed, expected, difference = attempt(tools, INPUT)
    fails = not difference <= ALLOWED
    print(f"expected    {expected}")
    print(f"observed    {observed}")
    size = "an exception" if isnan(difference) else f"{difference:.6g} {UNIT}, allowed {ALLOWED:g}"
    print(f"difference  {size}: {'it fails' if fails else 'it is right'}")
    return int(fails)


if __name__ == "__main__":
    sys.exit(main())
