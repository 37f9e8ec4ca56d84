"""Inputs of the normalization checks by name and dtype, seeded for the same bits in every cell."""

from __future__ import annotations

import zlib
from typing import Callable, Dict

import numpy as np

TIMES = 40
"""Repetitions of short vectors, for normalizers that compute large batches in another way than small ones."""

WIDTH = 384
"""Elements per row, as in all-MiniLM-L6-v2."""

DIMENSIONS = (
    *(1, 2, 3, 7, 8, 9, 64, 127, 128, 129),
    *(256, 384, 512, 768, 1000, 1024, 1536, 3072, 4096),
)
"""Row lengths on both sides of the blocks of summation (8, 128), those of usual models, and a long one."""


def _normal(name: str, rows: int, d: int = WIDTH) -> np.ndarray:
    """Standard normal numbers (rows, d) from uniform ones, whose stream is stable across releases."""
    source = np.random.RandomState(zlib.crc32(name.encode()))
    return source.standard_normal((rows, d))


def _typical(dtype: np.dtype) -> np.ndarray:
    return _normal("typical", 64).astype(dtype)


def _one_row(dtype: np.dtype) -> np.ndarray:
    return _normal("one-row", 1).astype(dtype)


def _empty(dtype: np.dtype) -> np.ndarray:
    return np.zeros((0, WIDTH), dtype)


def _zero(dtype: np.dtype) -> np.ndarray:
    return np.zeros((4, WIDTH), dtype)


def _mixed_zero(dtype: np.dtype) -> np.ndarray:
    rows = _normal("mixed-zero", 16).astype(dtype)
    rows[::3] = 0
    return rows


def _many_rows(dtype: np.dtype) -> np.ndarray:
    """More rows than a block of any normalizer, with zero rows at both ends and at likely seams."""
    rows = _normal("many-rows", 5000, 16).astype(dtype)
    seams = np.array([2**power for power in range(5, 13)])
    rows[[0, *(seams - 1), *seams, 1000, 3000, 4999]] = 0
    return rows


def _unit(dtype: np.dtype) -> np.ndarray:
    """Rows that are right as they are: one element is 1 or -1."""
    rows = np.zeros((16, WIDTH), dtype)
    rows[np.arange(16), np.arange(16)] = np.where(np.arange(16) % 2, -1, 1)
    return rows


def _signed_zero(dtype: np.dtype) -> np.ndarray:
    alternating = np.where(np.arange(8) % 2, -0.0, 0.0)
    rows = [np.zeros(8), -np.zeros(8), alternating, [1, -0.0, 0.0, -2, -0.0, 3, 0.0, -0.0]]
    return np.array(rows, dtype)


def _single(dtype: np.dtype) -> np.ndarray:
    """One element per row; division by its absolute value gives exactly 1 or -1."""
    rows = np.zeros((8, WIDTH), dtype)
    # times its reciprocal 41 is not 1 in float32, nor is 49 in float16 and float64
    rows[np.arange(8), np.arange(8) * 47] = np.array([1, -3, 0.1, -41, 100, 49, -200, 1.5], dtype)
    return rows


def _subnormal(dtype: np.dtype) -> np.ndarray:
    """Multiples of the smallest number of the dtype, from a few to just below the normal numbers."""
    info = np.finfo(dtype)
    top = np.array([4, 64, 2**8, 2 ** int(info.nmant)]).repeat(2)[:, None]
    multiples = np.trunc(np.random.RandomState(5).uniform(-1, 1, (8, WIDTH)) * top)
    multiples[:, 0] = top[:, 0] - 1
    return np.ldexp(multiples, int(info.minexp) - int(info.nmant)).astype(dtype)


def _powers(dtype: np.dtype, first: int, last: int, name: str) -> np.ndarray:
    """Rows (12, 16) of ordinary numbers times powers of two from ``first`` to ``last``."""
    exponents = np.linspace(first, last, 12).astype(np.intc)[:, None]
    numbers = np.ldexp(np.clip(_normal(name, 12, 16), -1.9, 1.9), exponents)
    return numbers.astype(dtype)


def _tiny(dtype: np.dtype) -> np.ndarray:
    """Normal numbers with subnormal squares: from slightly below the root of the smallest one downward."""
    least = int(np.finfo(dtype).minexp)
    return _powers(dtype, least // 2 - 5, least + 1, "tiny")


def _small(dtype: np.dtype) -> np.ndarray:
    """Norms from 0.2 down to a few times 1e-12, where the eps of the reference must have no effect yet."""
    return _powers(dtype, -39, -4, "small")


def _huge(dtype: np.dtype) -> np.ndarray:
    """Finite numbers with an infinite sum of squares: from the root of the largest one upward."""
    most = int(np.finfo(dtype).maxexp)
    return _powers(dtype, most // 2, most - 1, "huge")


def _mixed(dtype: np.dtype) -> np.ndarray:
    """Rows of every magnitude in one batch, and one row with all magnitudes."""
    usual = _normal("mixed", 6, 16).astype(dtype)
    across = _powers(dtype, int(np.finfo(dtype).minexp), int(np.finfo(dtype).maxexp) - 1, "across")
    parts = (usual, np.zeros((2, 16), dtype), _tiny(dtype)[::4], _huge(dtype)[::4], across.T[:, :12])
    rows = np.zeros((sum(len(part) for part in parts), 16), dtype)
    start = 0
    for part in parts:
        rows[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return np.tile(rows, (TIMES, 1))


def _nan(dtype: np.dtype) -> np.ndarray:
    rows = _normal("nan", 8, 16).astype(dtype)
    rows[1, 3] = rows[4, 0] = rows[4, 15] = np.nan
    rows[6] = np.nan
    return np.tile(rows, (TIMES, 1))


def _inf(dtype: np.dtype) -> np.ndarray:
    rows = _normal("inf", 8, 16).astype(dtype)
    rows[1, 3], rows[3, 0], rows[4, 2] = np.inf, -np.inf, np.inf
    rows[4, 9] = -np.inf
    rows[6, 1], rows[6, 2] = np.inf, np.nan
    return np.tile(rows, (TIMES, 1))


VECTORS: Dict[str, Callable[[np.dtype], np.ndarray]] = {
    "typical": _typical,
    "one-row": _one_row,
    "empty": _empty,
    "zero": _zero,
    "mixed-zero": _mixed_zero,
    "many-rows": _many_rows,
    "signed-zero": _signed_zero,
    "single": _single,
    "unit": _unit,
    "subnormal": _subnormal,
    "tiny": _tiny,
    "small": _small,
    "huge": _huge,
    "mixed": _mixed,
    "nan": _nan,
    "inf": _inf,
}


def vectors(name: str, dtype: str) -> np.ndarray:
    """The rows of the vector ``name``, of shape (n, d), in ``dtype``."""
    return VECTORS[name](np.dtype(dtype))


def row_of(d: int, dtype: str) -> np.ndarray:
    """Three rows of ``d`` numbers of magnitude 0.5 to 2, whose squares fit every dtype."""
    source = np.random.RandomState(d)
    signs = np.where(source.uniform(size=(3, d)) < 0.5, -1, 1)
    return (signs * source.uniform(0.5, 2, (3, d))).astype(dtype)


def laid_out(layout: str, dtype: str) -> np.ndarray:
    """Rows (16, 48) in another memory layout: ``fortran``, ``strided``, ``reversed`` or ``read-only``."""
    rows = _normal("layout", 16, 48).astype(dtype)
    if layout == "fortran":
        return np.asfortranarray(rows)
    if layout in ("strided", "reversed"):
        wide = np.full((33, 97), 7, dtype)
        view = wide[:32:2, :96:2] if layout == "strided" else wide[31::-2, 95::-2]
        view[...] = rows
        return view
    rows.flags.writeable = False
    return rows


def integers(dtype: str) -> np.ndarray:
    """Rows (6, 24) of an integer dtype, with zero rows and the ends of its range."""
    info = np.iinfo(dtype)
    numbers = (
        np.random.RandomState(11).randint(max(info.min, -1000), min(info.max, 1000), (6, 24)).astype(dtype)
    )
    numbers[1] = 0
    numbers[4, :2] = info.min, info.max
    return numbers


def shifted(rows: np.ndarray, exponent: int) -> np.ndarray:
    """The rows times a power of two, in their dtype."""
    return np.asarray(np.ldexp(rows, np.intc(exponent)))


def coarse(rows: np.ndarray) -> np.ndarray:
    """The rows with half the bits of their dtype: a control with low precision."""
    bits = (int(np.finfo(rows.dtype).nmant) + 1) // 2
    mantissa, exponent = np.frexp(rows.astype(np.float64))
    return np.ldexp(np.ldexp(np.rint(np.ldexp(mantissa, bits)), -bits), exponent).astype(rows.dtype)
