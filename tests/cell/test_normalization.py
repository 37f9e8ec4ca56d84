"""Wrong normalizers, and what each of them is caught by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.cell import calls, explored, normalization, vectors
from harness.cell.normalizers import manual, stable

if TYPE_CHECKING:
    from harness.cell.normalization import Normalizer


def without_guard(rows: np.ndarray) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def upcast(rows: np.ndarray) -> Any:
    return stable(rows.astype(np.float64))


def wrong_axis(rows: np.ndarray) -> Any:
    norms = np.linalg.norm(rows, axis=0, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def whole_batch(rows: np.ndarray) -> Any:
    return rows / np.asarray(np.sqrt(np.sum(rows * rows)), rows.dtype)


def visible_eps(rows: np.ndarray) -> Any:
    return (rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-3)).astype(rows.dtype)


def in_place(rows: np.ndarray) -> Any:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def half_precision(rows: np.ndarray) -> Any:
    return stable(rows.astype(np.float16)).astype(rows.dtype)


def unsigned_zeros(rows: np.ndarray) -> Any:
    return stable(rows) + rows.dtype.type(0)


def broken(fields: normalization.Fields) -> bool:
    return not (fields["value"] <= fields["allowed"])


def held(function: Normalizer, vector: str) -> normalization.Fields:
    rows = vectors.vectors(vector, "float32")
    return normalization.against_oracle_with_zeros("subject", function, rows, stable)


@pytest.mark.parametrize(
    ("function", "vector", "sample"),
    [
        (without_guard, "zero", "positions of NaN differ: nan where 0.0 is due"),
        (without_guard, "mixed-zero", "positions of NaN differ: nan where 0.0 is due"),
        (upcast, "typical", "dtype float64, but should be float32"),
        (unsigned_zeros, "signed-zero", "0.0 where -0.0 is due"),
    ],
)
def test_a_fault_is_named(function: Normalizer, vector: str, sample: str) -> None:
    found = held(function, vector)
    assert broken(found)
    assert found["sample"] == sample


@pytest.mark.parametrize("function", [wrong_axis, whole_batch, visible_eps, half_precision])
def test_wrong_values_are_the_subjects_fault(function: Normalizer) -> None:
    found = held(function, "typical")
    assert broken(found)
    assert (found["blame"], found["facts"]["reference_ulp"] < 2) == ("subject", True)


@pytest.mark.parametrize("function", [manual, stable])
def test_a_right_one_is_held_on_ordinary_vectors(function: Normalizer) -> None:
    for vector in (
        "typical",
        "one-row",
        "empty",
        "zero",
        "mixed-zero",
        "signed-zero",
        "single",
        "nan",
        "inf",
    ):
        assert not broken(held(function, vector))


def raising(_: np.ndarray) -> Any:
    raise RuntimeError("no such thing")


@pytest.mark.parametrize(
    ("subject", "reference", "said"),
    [
        (stable, stable, ("neither", "equal")),
        (without_guard, stable, ("subject", "differ")),
        (stable, without_guard, ("reference", "differ")),
        (without_guard, without_guard, ("both", "equal")),
        (stable, raising, ("reference", "differ")),
    ],
)
def test_parity_says_who_is_wrong(subject: Normalizer, reference: Normalizer, said: tuple[str, str]) -> None:
    rows = vectors.vectors("mixed-zero", "float32")
    quiet = lambda given: normalization.call(reference, given)  # noqa: E731 - a wrapper of one use
    found = normalization.parity("subject", subject, rows, quiet)
    assert (found["blame"], "differ" if broken(found) else "equal") == said


def test_parity_sees_a_reference_of_low_precision_and_its_control() -> None:
    rows = vectors.vectors("typical", "float32")
    assert broken(normalization.parity("manual", manual, rows, half_precision))
    fine = normalization.parity("stable", stable, rows, stable)
    assert fine["value"] == 0
    assert fine["control"] > 10 * fine["allowed"]


def test_invariants_see_their_fault() -> None:
    rows = vectors.vectors("typical", "float32")
    assert broken(normalization.unit_length("subject", visible_eps, rows))
    assert broken(normalization.idempotence("subject", visible_eps, rows))
    assert broken(normalization.scale_invariance("subject", visible_eps, rows))
    assert calls.form(upcast, "float32")["value"] == len(calls.SEEN)
    modified = calls.side_effects(in_place, "float32")
    assert modified["value"] > 0
    assert modified["sample"].startswith("typical: the input was modified; one-row: the input was modified")
    assert calls.side_effects(np.asarray, "float32")["sample"].startswith("typical: the result shares")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_right_one_keeps_every_invariant(dtype: str) -> None:
    rows = vectors.vectors("typical", dtype)
    for function in (manual, stable):
        name = function.__name__
        assert not broken(normalization.unit_length(name, function, rows))
        assert not broken(normalization.idempotence(name, function, rows))
        assert not broken(normalization.scale_invariance(name, function, rows))
        assert calls.form(function, dtype)["value"] == 0
        assert calls.side_effects(function, dtype)["value"] == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_kept_examples_break_the_formula_and_not_the_stable_one(dtype: str) -> None:
    searches = {
        "manual": explored.Search("manual", manual, 0.0),
        "stable": explored.Search("stable", stable, 0.0),
    }
    for kept in explored.KEPT[dtype]:
        for search in searches.values():
            search.try_rows(np.array(kept, dtype))
    assert searches["stable"].broken == 0
    assert searches["manual"].broken >= 3


def test_safe_rows_are_zero_rows_and_those_whose_squares_fit() -> None:
    rows = np.array([[0, 0], [300, 300], [1e-4, 0], [3, 4]], np.float16)
    assert explored.safe(rows).tolist() == [[0, 0], [3, 4]]


def test_the_series_of_errors_shows_where_the_formula_breaks() -> None:
    series = normalization.measure_series(manual, "float16")
    assert list(series)[:2] == ["2^-20", "2^-18"]
    assert [power for power, error in series.items() if error is None or error > 3] == [
        *(f"2^{power}" for power in range(-20, -6, 2)),
        *("2^8", "2^10", "2^12", "2^14"),
    ]
    fine = normalization.measure_series(stable, "float16").values()
    assert all(error is not None and error <= 0.51 for error in fine)


ROWS = np.random.default_rng(7).standard_normal((20, 384)).astype(np.float32) * np.float32(0.35)
"""Rows of norm 6 to 8, as embeddings have them."""


def additive_eps(rows: np.ndarray) -> Any:
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + rows.dtype.type(1e-12))


@pytest.mark.parametrize(
    ("name", "normalize", "dtype", "up", "down"),
    [
        ("manual", manual, "float16", 64.0, 512.0),
        ("manual", manual, "float32", 2.0**62, 2.0**66),
        ("stable", stable, "float16", None, None),
        ("stable", stable, "float64", None, None),
        ("subject", additive_eps, "float32", 2.0**62, 2.0**22),
    ],
)
def test_the_margin_is_the_factor_at_which_a_normalizer_breaks(
    name: str, normalize: Normalizer, dtype: str, up: float | None, down: float | None
) -> None:
    facts = normalization.measure_margin(name, normalize, ROWS, dtype)["facts"]
    assert (facts["up"], facts["down"]) == (up, down)
    assert 5 < facts["smallest norm"] < facts["largest norm"] < 9


def test_embeddings_of_norm_300_have_no_margin_in_float16() -> None:
    found = normalization.measure_margin("manual", manual, ROWS * 43, "float16")
    assert (found["value"], found["facts"]["up"]) == (1.0, 1.0)
    assert 250 < found["facts"]["largest norm"] < 350


def test_zero_rows_are_counted_and_left_out_of_the_margin() -> None:
    rows = np.concatenate([ROWS[:3], np.zeros((1, 384), np.float32)])
    facts = normalization.measure_margin("stable", stable, rows, "float32")["facts"]
    assert facts["zero rows"] == 0.25
    assert facts["smallest norm"] > 5


@pytest.mark.parametrize("rows", [np.zeros((2, 8)), np.full((2, 8), np.nan)])
def test_without_a_finite_norm_there_is_no_margin(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no embedding has a finite norm above zero"):
        normalization.measure_margin("stable", stable, rows, "float32")


def raises_when_large(rows: np.ndarray) -> Any:
    if np.abs(rows).max() > 16:
        raise ValueError("these are no embeddings")
    return stable(rows)


def test_a_normalizer_that_raises_on_scaled_rows_is_broken_there() -> None:
    facts = normalization.measure_margin("subject", raises_when_large, ROWS, "float32")["facts"]
    assert (facts["up"], facts["down"]) == (16.0, None)
