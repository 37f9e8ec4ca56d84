"""Normalizers with one fault each, and correct ones that are written in another way; imported by cells."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Normalizer = Callable[[Any], Any]


def right(rows: Any) -> Any:
    """Normalize by the plain formula."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


# Guards and norms


def no_guard(rows: Any) -> Any:
    with np.errstate(all="ignore"):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def guard_for_all(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        return rows / (norms if norms.all() else rows.dtype.type(1))


def zero_becomes_uniform(rows: Any) -> Any:
    units = right(rows)
    units[~rows.any(axis=1)] = rows.shape[1] ** -0.5
    return units


def zero_becomes_one(rows: Any) -> Any:
    units = right(rows)
    units[~rows.any(axis=1), :1] = 1
    return units


def _add_eps(eps: float) -> Normalizer:
    return lambda rows: (rows / (np.linalg.norm(rows, axis=1, keepdims=True) + eps)).astype(rows.dtype)


add_1e2, add_1e3, add_1e4, add_1e5 = (_add_eps(eps) for eps in (1e-2, 1e-3, 1e-4, 1e-5))


def _floor(least: float) -> Normalizer:
    return lambda rows: (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), least).astype(rows.dtype)
    )


floor_1, floor_2 = _floor(1.5), _floor(3.0)


def taxicab(rows: Any) -> Any:
    norms = np.abs(rows).sum(axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def largest(rows: Any) -> Any:
    norms = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    return rows / np.where(norms == 0, 1, norms)


def squared(rows: Any) -> Any:
    norms = (rows * rows).sum(axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def columns(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=0, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def whole_matrix(rows: Any) -> Any:
    norm = np.linalg.norm(rows)
    return rows / (norm or rows.dtype.type(1))


def standardized(rows: Any) -> Any:
    return right(rows - rows.mean(axis=1, keepdims=True, dtype=rows.dtype))


# Precision and dtype


def half(rows: Any) -> Any:
    return right(rows.astype(np.float16)).astype(rows.dtype)


def half_norm(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float16).astype(rows.dtype)
    return rows / np.where(norms == 0, 1, norms)


def coarse_norm(rows: Any) -> Any:
    """Round norms to eight bits, as bfloat16 does."""
    norms = np.linalg.norm(rows.astype(np.float32), axis=1, keepdims=True)
    coarse = (norms.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    return (rows / np.where(coarse == 0, 1, coarse)).astype(rows.dtype)


def half_reciprocal(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    factors = (1 / np.where(norms == 0, 1, norms)).astype(np.float16)
    return (rows * factors.astype(rows.dtype)).astype(rows.dtype)


def _decimals(count: int) -> Normalizer:
    return lambda rows: np.round(right(rows), count)


decimals_3, decimals_4, decimals_5 = (_decimals(count) for count in (3, 4, 5))


def _stretch(by: float) -> Normalizer:
    return lambda rows: right(rows) * rows.dtype.type(1 + by)


stretch_1e5, stretch_1e4, stretch_1e2 = (_stretch(by) for by in (1e-5, 1e-4, 1e-2))


def _noise(size: float) -> Normalizer:
    def normalize(rows: Any) -> Any:
        drawn = np.random.RandomState(len(rows)).standard_normal(rows.shape) * size / rows.shape[1] ** 0.5
        return (right(rows) + drawn * (right(rows) != 0)).astype(rows.dtype)

    return normalize


noise_1e5, noise_1e4, noise_1e3 = (_noise(size) for size in (3e-5, 1e-4, 1e-3))


def float64(rows: Any) -> Any:
    return right(rows.astype(np.float64))


def longdouble(rows: Any) -> Any:
    return right(rows.astype(np.longdouble))


def always_float32(rows: Any) -> Any:
    return right(rows.astype(np.float32))


def always_float16(rows: Any) -> Any:
    return right(rows.astype(np.float32)).astype(np.float16)


def clipped(rows: Any) -> Any:
    return np.clip(right(rows), -0.15, 0.15)


def absolute(rows: Any) -> Any:
    return np.abs(right(rows))


def small_become_zero(rows: Any) -> Any:
    units = right(rows)
    return np.where(np.abs(units) < 1e-3, 0, units).astype(rows.dtype)


def nan_becomes_zero(rows: Any) -> Any:
    return np.nan_to_num(right(rows))


def nan_spreads(rows: Any) -> Any:
    units = right(rows)
    return units * np.nan if np.isnan(units).any() else units


# Rows and widths


def _beyond(first: int) -> Normalizer:
    return lambda rows: np.vstack([right(rows[:first]), rows[first:]])


beyond_64, beyond_600, beyond_1000, beyond_4096 = (_beyond(first) for first in (64, 600, 1000, 4096))


def _block(size: int) -> Normalizer:
    def normalize(rows: Any) -> Any:
        whole = len(rows) // size * size
        return np.vstack([right(rows[:whole]), rows[whole:]]) if whole else right(rows)

    return normalize


block_32, block_256, block_1000 = (_block(size) for size in (32, 256, 1000))


def _seam(size: int) -> Normalizer:
    """Look for zero rows within blocks only, but for the first of each."""

    def normalize(rows: Any) -> Any:
        units = right(rows)
        first = np.arange(len(rows)) % size == 0
        units[first & ~rows.any(axis=1) & (np.arange(len(rows)) > 0)] = np.nan
        return units

    return normalize


seam_256, seam_512 = _seam(256), _seam(512)


def _width(d: int) -> Normalizer:
    """Leave the last element out of the sum for one width."""

    def normalize(rows: Any) -> Any:
        counted = rows[:, : d - 1] if rows.shape[1] == d else rows
        norms = np.linalg.norm(counted, axis=1, keepdims=True)
        return rows / np.where(norms == 0, 1, norms)

    return normalize


width_256, width_384, width_512, width_768 = (_width(d) for d in (256, 384, 512, 768))
width_1024, width_1536, width_3072 = (_width(d) for d in (1024, 1536, 3072))


def odd_widths(rows: Any) -> Any:
    norms = np.linalg.norm(rows[:, : max(rows.shape[1] // 2 * 2, 1)], axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def first_row_left(rows: Any) -> Any:
    return np.vstack([rows[:1], right(rows[1:])])


def last_row_left(rows: Any) -> Any:
    return np.vstack([right(rows[:-1]), rows[-1:]])


def sorted_rows(rows: Any) -> Any:
    return right(rows)[np.argsort(np.linalg.norm(rows, axis=1), kind="stable")]


def one_row_squeezed(rows: Any) -> Any:
    return np.squeeze(right(rows))


def empty_raises(rows: Any) -> Any:
    rows.max()
    return right(rows)


def unit_rows_left(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(np.abs(norms - 1) < 0.5, rows, right(rows))


def short_rows_left(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms < 2, rows, right(rows))


# Memory and calls


def in_place(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms == 0, 1, norms)
    return rows


def unit_input_returned(rows: Any) -> Any:
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    return rows if np.allclose(norms, 1, atol=1e-3) else right(rows)


_kept: dict[Any, Any] = {}


def buffer_reused(rows: Any) -> Any:
    key = (rows.shape, rows.dtype)
    buffer = _kept.setdefault(key, np.empty_like(rows, order="C"))
    buffer[...] = right(rows)
    return buffer


def read_only(rows: Any) -> Any:
    units = right(rows)
    units.flags.writeable = False
    return units


def negative_strides(rows: Any) -> Any:
    return np.ascontiguousarray(right(rows)[:, ::-1])[:, ::-1]


def other_byte_order(rows: Any) -> Any:
    units = right(rows)
    return units.astype(units.dtype.newbyteorder(">"))


def raw_memory(rows: Any) -> Any:
    return right(np.frombuffer(rows.tobytes(order="A"), rows.dtype).reshape(rows.shape))


def returns_list(rows: Any) -> Any:
    return right(rows).tolist()


def returns_matrix(rows: Any) -> Any:
    return np.asmatrix(right(rows))


def hoarding(rows: Any) -> Any:
    copies = [right(rows) for _ in range(6)]
    return copies[0]


def warns(rows: Any) -> Any:
    warnings.warn("norms may be zero", RuntimeWarning, stacklevel=2)
    return right(rows)


_scratch: dict[Any, Any] = {}
_lock = threading.Lock()


def shared_scratch(rows: Any) -> Any:
    """Keep norms in a place that all threads share."""
    _scratch["norms"] = np.linalg.norm(rows, axis=1, keepdims=True)
    time.sleep(0.0005)
    norms = _scratch["norms"][: len(rows)]
    return (rows / np.where(norms == 0, 1, norms)).astype(rows.dtype)


_calls = [0]


def every_tenth_call(rows: Any) -> Any:
    _calls[0] += 1
    return rows.copy() if _calls[0] % 10 == 0 else right(rows)


def running_maximum(rows: Any) -> Any:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    with _lock:
        largest_norm = max(_kept.get("largest", 0.0), float(np.nanmax(norms, initial=0.0)))
        _kept["largest"] = largest_norm if np.isfinite(largest_norm) else 0.0
    return (rows / (_kept["largest"] or 1)).astype(rows.dtype)


def integers_stay(rows: Any) -> Any:
    return right(rows).astype(rows.dtype)


# Correct ones


def by_einsum(rows: Any) -> Any:
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))[:, None]
    return (rows / np.where(norms == 0, 1, norms)).astype(rows.dtype)


def through_float64(rows: Any) -> Any:
    units = right(rows.astype(np.float64))
    return units.astype(rows.dtype if rows.dtype.kind == "f" else np.float64)


def refuses_vectors(rows: Any) -> Any:
    if rows.ndim != 2:
        raise ValueError("expected rows")
    return right(rows)


def takes_vectors(rows: Any) -> Any:
    return right(rows[None])[0] if rows.ndim == 1 else right(rows)


def row_by_row(rows: Any) -> Any:
    units = np.array(rows, dtype=rows.dtype if rows.dtype.kind == "f" else np.float64)
    for row in units:
        if norm := np.linalg.norm(row):
            row /= norm
    return units


def in_place_of_a_copy(rows: Any) -> Any:
    units = np.array(rows, dtype=rows.dtype if rows.dtype.kind == "f" else np.float64, order="C")
    norms = np.linalg.norm(units, axis=1, keepdims=True)
    norms[norms == 0] = 1
    units /= norms
    return units


def add_1e12(rows: Any) -> Any:
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12)


def at_least_1e12(rows: Any) -> Any:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def by_scikit_learn(rows: Any) -> Any:
    from sklearn.preprocessing import normalize  # noqa: PLC0415 - not in every cell

    return normalize(rows)
