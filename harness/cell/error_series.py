"""Error over the norm of the row: where each formula breaks, over the whole range of a dtype."""

from __future__ import annotations

from typing import Dict, Optional

import numpy as np

from harness.cell import oracle
from harness.cell.normalization import Normalizer, call
from harness.cell.ulp import element_errors

STEPS = {"float16": 2, "float32": 8, "float64": 64}
"""Powers of two between neighbouring norms."""


def measure_series(normalize: Normalizer, dtype: str) -> Dict[str, Optional[float]]:
    """Worst error in ULPs of rows (8, 16) of norm about 2**k, by that name; None where it is no number."""
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
