"""Comparing an array with what is due: shape, dtype, positions of NaN and inf, and then values, in ULPs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Tuple

import numpy as np

if TYPE_CHECKING:
    from harness.cell.oracle import Exact


@dataclass(frozen=True)
class Difference:
    """How far an array is from what is due.

    Attributes:
        value: worst error in ULPs of the dtype that is due; inf where shape, dtype, NaN or inf already
        differ. worst: index of the worst element; empty where there is none. share: share of elements
        beyond what is allowed (or in the wrong place). sample: what is there and what should be, in words.
        allowed: what ``value`` may be.
    """

    value: float
    allowed: float
    worst: Tuple[int, ...] = ()
    share: float = 0.0
    sample: str = ""

    @property
    def within(self) -> bool:
        """Whether it is what is due."""
        return self.value <= self.allowed


def _first(mask: np.ndarray) -> Tuple[int, ...]:
    return tuple(int(index) for index in np.argwhere(mask)[0])


def _misplaced(
    actual: np.ndarray, due: np.ndarray, allowed: float, kind: str, test: Callable[[np.ndarray], np.ndarray]
) -> Difference:
    """Where ``test`` holds for one and not for the other; ``within`` if nowhere."""
    wrong = test(actual) != test(due)
    if not wrong.any():
        return Difference(0.0, allowed)
    at = _first(wrong)
    sample = f"{kind} differ: {actual[at]!s} where {due[at]!s} is due"
    return Difference(math.inf, allowed, at, float(wrong.mean()), sample)


def compare(actual: object, exact: Exact, allowed: float) -> Difference:
    """Compare an array with an exact one, ``allowed`` in ULPs."""
    if not isinstance(actual, np.ndarray):
        return Difference(math.inf, allowed, sample=f"{type(actual).__name__}, but should be an array")
    if actual.shape != exact.high.shape:
        return Difference(math.inf, allowed, sample=f"shape {actual.shape}, but should be {exact.high.shape}")
    if actual.dtype != exact.dtype:
        return Difference(math.inf, allowed, sample=f"dtype {actual.dtype}, but should be {exact.dtype}")
    for kind, test in (
        ("positions of NaN", np.isnan),
        ("positions of inf", np.isposinf),
        ("positions of -inf", np.isneginf),
    ):
        found = _misplaced(actual, exact.high, allowed, kind, test)
        if not found.within:
            return found
    return _values(actual, exact, allowed)


def element_errors(actual: np.ndarray, exact: Exact) -> np.ndarray:
    """Errors in ULPs without sign; 0 where nothing finite is due, inf where something is and is not there."""
    with np.errstate(all="ignore"):
        errors = np.abs(exact.errors(np.where(np.isfinite(actual), actual, 0)))
    errors = np.where(np.isfinite(actual), errors, math.inf)
    return np.asarray(np.where(np.isfinite(exact.high), errors, 0.0))


def _values(actual: np.ndarray, exact: Exact, allowed: float) -> Difference:
    errors = element_errors(actual, exact)
    if not errors.size:
        return Difference(0.0, allowed)
    at = np.unravel_index(int(errors.argmax()), errors.shape)
    worst = tuple(int(index) for index in at)
    due = np.ldexp(exact.high[at], exact.exponent[at])
    sample = f"{float(actual[at]):.9g} where {float(due):.9g} is due"
    return Difference(float(errors[at]), allowed, worst, float((errors > allowed).mean()), sample)


def compare_zeros(actual: np.ndarray, exact: Exact) -> Difference:
    """Count the zeros that came back as another number or with another sign; none is allowed.

    Exact zeros come from zeros only, so there is nothing to round.
    """
    wrong = (exact.high == 0) & ((actual != 0) | (np.signbit(actual) != np.signbit(exact.high)))
    if not wrong.any():
        return Difference(0.0, 0.0)
    at = _first(wrong)
    sample = f"{float(actual[at])} where {float(exact.high[at])} is due"
    return Difference(float(wrong.sum()), 0.0, at, float(wrong.mean()), sample)
