"""The change of vectors: small arrays in, whole observations out; every planted change is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.cell.change import (
    measure_distances,
    measure_layout,
    measure_rankings,
    name_dtype,
)
from harness.cell.comparison import find_distances, unit_rows
from harness.cell.corpus import Sentence

TEXTS = [Sentence(f"text {number}", "plain") for number in range(12)]
BEFORE = unit_rows(np.random.RandomState(7).standard_normal((12, 16))).astype(np.float32)


def changed(row: int, factor: float = 1.0, **to: float) -> np.ndarray:
    """The vectors with one row scaled, or with some of its elements replaced."""
    now = BEFORE.copy()
    now[row] *= np.float32(factor)
    for place, value in to.items():
        now[row, int(place.removeprefix("at"))] = value
    return now


def test_equal_vectors_have_not_changed() -> None:
    assert measure_distances(BEFORE, BEFORE, TEXTS, 1e-5) == {
        "value": 0.0,
        "unit": "distance",
        "bound": "max",
        "allowed": 1e-5,
        "worst": (0,),
        "share": 0.0,
        "sample": "",
        "facts": {"median distance": 0.0, "smallest cosine": pytest.approx(1.0), "texts": 12},
    }
    assert measure_rankings(BEFORE, BEFORE, TEXTS, 5e-6) == {
        "value": 0,
        "unit": "queries",
        "bound": "max",
        "allowed": 0,
        "share": 0.0,
        "sample": "",
        "facts": {
            "queries": 12,
            "tie tolerance": 5e-6,
            "recall@10 of new queries in the earlier index": 1.0,
            "recall@10 of earlier queries in a new index": 1.0,
        },
    }


def test_a_row_of_another_length_has_moved() -> None:
    seen = measure_distances(changed(3, 1.5), BEFORE, TEXTS, 1e-5)
    assert (seen["value"], seen["worst"], seen["sample"]) == (
        pytest.approx(0.5, rel=1e-6),
        (3,),
        "plain 0.5: text 3",
    )
    assert seen["share"] == pytest.approx(1 / 12)
    assert seen["facts"]["smallest cosine"] == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_distances_do_not_depend_on_the_length_of_vectors(scale: float) -> None:
    now, before = changed(0, at0=0.9) * scale, BEFORE * scale
    assert find_distances(now, before) == pytest.approx(find_distances(changed(0, at0=0.9), BEFORE), rel=1e-5)


@pytest.mark.parametrize(
    ("now", "before", "apart"),
    [
        ([[np.nan, 1.0]], [[np.nan, 1.0]], 0.0),
        ([[np.nan, 1.0]], [[0.0, 1.0]], np.inf),
        ([[0.0, 1.0]], [[np.nan, 1.0]], np.inf),
        ([[np.inf, 1.0]], [[np.inf, 1.0]], 0.0),
        ([[np.inf, 1.0]], [[-np.inf, 1.0]], np.inf),
        ([[0.0, 0.0]], [[0.0, 0.0]], 0.0),
        ([[0.0, 0.5]], [[0.0, 0.0]], np.hypot(1, 0.5)),
        ([[0.0, 1e-20]], [[0.0, 0.0]], 1.0),  # a normalizer makes it a unit vector
    ],
)
def test_rows_without_a_length(now: list[Any], before: list[Any], apart: float) -> None:
    assert find_distances(np.array(now), np.array(before)).tolist() == [apart]


def test_an_index_of_swapped_rows_is_found_both_ways() -> None:
    now = BEFORE.copy()
    now[[0, 1]] = now[[1, 0]]
    seen = measure_rankings(now, BEFORE, TEXTS, 5e-6)
    assert seen["value"] == len(TEXTS)
    recalls = [value for name, value in seen["facts"].items() if name.startswith("recall")]
    assert all(value < 1 for value in recalls)


def test_a_rotation_of_all_vectors_invalidates_the_index() -> None:
    """Every pair keeps its score, so only a search of new queries in the earlier index shows it."""
    rotation, _ = np.linalg.qr(np.random.RandomState(3).standard_normal((16, 16)))
    now = (BEFORE @ rotation).astype(np.float32)
    assert now @ now.T == pytest.approx(BEFORE @ BEFORE.T, abs=1e-6)
    assert measure_rankings(now, BEFORE, TEXTS, 5e-6)["value"] == len(TEXTS)


def test_ties_may_swap() -> None:
    before = np.array([[1, 0], [0.8, 0.6], [0.8 - 1e-7, -0.6], [0, 1]], np.float64)
    now = before - np.array([[0, 1e-6], [0, 0], [0, 0], [0, 0]])
    assert measure_rankings(now, before, TEXTS[:4], 1e-6)["value"] == 0
    assert measure_rankings(now, before, TEXTS[:4], 1e-8)["value"] >= 1


def test_a_nan_row_finds_nothing() -> None:
    broken = changed(2, at0=np.nan)
    assert measure_rankings(broken, BEFORE, TEXTS, 5e-6)["value"] >= 1
    assert measure_rankings(broken, broken, TEXTS, 5e-6)["value"] == 0


@pytest.mark.parametrize("texts", [1, 2])
def test_few_texts_are_ranked(texts: int) -> None:
    rows = BEFORE[:texts]
    assert measure_rankings(rows, rows, TEXTS[:texts], 5e-6)["value"] == 0


def test_another_width_is_no_distance() -> None:
    narrow = BEFORE[:, :8]
    said = "shape (12, 8), but should be (12, 16)"
    for seen in (
        measure_distances(narrow, BEFORE, TEXTS, 1e-5),
        measure_rankings(narrow, BEFORE, TEXTS, 1e-5),
    ):
        assert (seen["value"], seen["sample"]) == (None, said)


@pytest.mark.parametrize(
    ("now", "kept"),
    [(BEFORE, 1.0), (BEFORE.astype(np.float64), 0.0), (BEFORE[:, :8], 0.0), (BEFORE[:3], 1.0)],
)
def test_dtype_and_width_are_kept(now: np.ndarray, kept: float) -> None:
    assert measure_layout(now, BEFORE) == {
        "value": kept,
        "unit": "kept",
        "bound": "equal",
        "allowed": 1.0,
        "sample": f"float32 (12, 16) before, {now.dtype} {now.shape} now",
    }


def test_the_shorter_dtype_names_the_tolerance() -> None:
    half = BEFORE.astype(np.float16)
    assert [name_dtype(*pair) for pair in ((BEFORE, BEFORE), (half, BEFORE), (BEFORE, half))] == [
        "float32",
        "float16",
        "float16",
    ]
