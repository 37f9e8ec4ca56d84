"""Pooling of hidden states: small arrays in, whole values out."""

from __future__ import annotations

import numpy as np
import pytest

from harness.cell.model_folder import POOLING_FLAGS
from harness.cell.pooling import pool

RIGHT = np.array([[[1, 2], [3, 4], [8, 0], [90, 90]]], dtype=np.float32), np.array([[1, 1, 1, 0]])
LEFT = np.roll(RIGHT[0], 1, axis=1), np.roll(RIGHT[1], 1, axis=1)

POOLED = {
    "cls": [1, 2],
    "max": [8, 4],
    "mean": [4, 2],
    "mean_sqrt_len_tokens": [12 / 3**0.5, 6 / 3**0.5],
    "weightedmean": [31 / 6, 10 / 6],
    "lasttoken": [8, 0],
}
WITHOUT_FIRST = {
    "cls": [3, 4],
    "max": [8, 4],
    "mean": [5.5, 2],
    "mean_sqrt_len_tokens": [11 / 2**0.5, 4 / 2**0.5],
    "weightedmean": [30 / 5, 8 / 5],
    "lasttoken": [8, 0],
}


def test_every_pooling_of_a_folder_is_tested() -> None:
    assert POOLED.keys() == WITHOUT_FIRST.keys() == set(POOLING_FLAGS.values())


@pytest.mark.parametrize("padded", [RIGHT, LEFT], ids=["right", "left"])
@pytest.mark.parametrize("mode", POOLED)
def test_padding_is_left_out(mode: str, padded: tuple[np.ndarray, np.ndarray]) -> None:
    assert pool(*padded, (mode,)).tolist() == [pytest.approx(POOLED[mode])]


@pytest.mark.parametrize("padded", [RIGHT, LEFT], ids=["right", "left"])
@pytest.mark.parametrize("mode", WITHOUT_FIRST)
def test_tokens_of_a_prompt_are_left_out(mode: str, padded: tuple[np.ndarray, np.ndarray]) -> None:
    assert pool(*padded, (mode,), skip=1).tolist() == [pytest.approx(WITHOUT_FIRST[mode])]


def test_several_poolings_are_joined_in_their_order() -> None:
    assert pool(*RIGHT, ("mean", "cls", "max")).tolist() == [[4, 2, 1, 2, 8, 4]]


@pytest.mark.parametrize("mode", POOLED)
def test_the_dtype_is_kept_and_sums_do_not_overflow(mode: str) -> None:
    hidden = np.full((1, 3, 2), 30000, dtype=np.float16)

    pooled = pool(hidden, np.ones((1, 3)), (mode,))

    assert pooled.dtype == np.float16
    if mode != "mean_sqrt_len_tokens":
        assert pooled.tolist() == [[30000, 30000]]


@pytest.mark.parametrize("mode", ["mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"])
def test_a_text_without_any_token_is_a_zero_vector(mode: str) -> None:
    assert pool(RIGHT[0], np.zeros((1, 4)), (mode,)).tolist() == [[0, 0]]
