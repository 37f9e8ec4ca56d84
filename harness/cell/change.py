"""The change of vectors from earlier ones: their distances, the rankings over them, their dtype and shape.

Cells compare their vectors with stored ones; the controller compares those of a cell with those of the
baseline. Every function returns the fields of an observation (``harness.cell.record.Record``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple

import numpy as np

from harness.cell.comparison import cosines, find_distances, find_swaps, name_worst, rank, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell.corpus import Sentence

DEPTH = 10
"""Number of neighbours in a ranking."""


def name_dtype(now: NDArray, before: NDArray) -> str:
    """The shorter dtype of two arrays, for the name of a tolerance: ``float16`` or ``float32``."""
    return "float16" if np.float16 in (now.dtype, before.dtype) else "float32"


def measure_distances(
    now: NDArray, before: NDArray, sentences: Sequence[Sentence], allowed: float
) -> Dict[str, Any]:
    """The largest distance of a row from the earlier one; vectors of another shape have none."""
    bound = {"unit": "distance", "bound": "max", "allowed": allowed}
    if now.shape != before.shape:
        return {**bound, "value": None, "sample": f"shape {now.shape}, but should be {before.shape}"}
    distances = find_distances(now, before)
    worst = int(np.argmax(distances)) if len(distances) else 0
    return {
        **bound,
        "value": float(distances.max(initial=0.0)),
        "worst": (worst,),
        "share": float(np.mean(distances > allowed)) if len(distances) else 0.0,
        "sample": name_worst(distances, sentences),
        "facts": {
            "median distance": float(np.median(distances)) if len(distances) else 0.0,
            "smallest cosine": float(cosines(now, before).min(initial=1.0)),
            "texts": len(distances),
        },
    }


def measure_rankings(
    now: NDArray,
    before: NDArray,
    sentences: Sequence[Sentence],
    tie: float,
    queries: Optional[Tuple[NDArray, NDArray]] = None,
) -> Dict[str, Any]:
    """The number of texts that find something else if only the queries, or only the index, are new.

    Every text is looked for in an index that holds it too, so an index that fits finds it first. Rows whose
    earlier scores differ by at most ``tie`` may swap. ``queries`` are those of now and before, where they
    are embedded differently than the documents ``now`` and ``before``.
    """
    asked_now, asked_before = queries or (now, before)
    bound = {"unit": "queries", "bound": "max", "allowed": 0}
    if len({each.shape for each in (now, before, asked_now, asked_before)}) > 1:
        return {**bound, "value": None, "sample": f"shape {now.shape}, but should be {before.shape}"}
    expected, depth = score(asked_before, before), min(DEPTH, len(before))
    new_queries, new_index = score(asked_now, before), score(asked_before, now)
    ways = [find_swaps(found, expected, tie, depth) for found in (new_queries, new_index)]
    whole = (np.isfinite(now) & np.isfinite(asked_now)).all(axis=1)
    finite = whole | ~np.isfinite(before).all(axis=1)
    swapped = np.where(finite, np.maximum(*ways), np.inf)
    changed = int(np.count_nonzero(swapped))
    return {
        **bound,
        "value": changed,
        "share": changed / len(swapped) if len(swapped) else 0.0,
        "sample": name_worst(swapped, sentences),
        "facts": {
            "queries": len(swapped),
            "tie tolerance": tie,
            "recall@10 of new queries in the earlier index": _recall(new_queries, expected, tie, depth),
            "recall@10 of earlier queries in a new index": _recall(new_index, expected, tie, depth),
        },
    }


def _recall(found: NDArray, expected: NDArray, tie: float, depth: int) -> float:
    """The mean share of the expected neighbours that are found; one of an equal score counts too."""
    scores = np.take_along_axis(expected, rank(found, depth), 1)
    least = np.take_along_axis(expected, rank(expected, depth), 1)[:, -1:]
    return float(np.mean(scores >= least - tie))


def measure_layout(now: NDArray, before: NDArray) -> Dict[str, Any]:
    """Whether dtype and width are those of the earlier vectors."""
    kept = now.dtype == before.dtype and now.shape[1:] == before.shape[1:]
    return {
        "value": float(kept),
        "unit": "kept",
        "bound": "equal",
        "allowed": 1.0,
        "sample": f"{before.dtype} {before.shape} before, {now.dtype} {now.shape} now",
    }
