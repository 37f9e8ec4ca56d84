"""Blocks in which the baseline disagrees with itself."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.quantity_decision import OUTLIER_FACTOR, exclude_outliers

THRESHOLD = 1.05

controls = st.lists(st.floats(-1, 1), max_size=30)


def keep(found: list[float], threshold: float = THRESHOLD) -> list[float]:
    return exclude_outliers(found, lambda each: each, threshold)


def test_what_stands_out_is_left_out_in_whichever_direction() -> None:
    assert keep([0.002, 0.22, -0.001, 0.003, -0.22, 0.0]) == [0.002, -0.001, 0.003, 0.0]


def test_a_difference_below_the_threshold_does_no_harm() -> None:
    quiet = [0.0001] * 20
    assert keep([*quiet, math.log(1.049)]) == [*quiet, math.log(1.049)]
    assert keep([*quiet, math.log(1.051)]) == quiet
    assert keep([*quiet, math.log(1.051)], threshold=1.10) == [*quiet, math.log(1.051)]


def test_on_a_noisy_machine_much_counts() -> None:
    noisy = [0.04, -0.04] * 10
    assert keep([*noisy, 0.04 * OUTLIER_FACTOR]) == [*noisy, 0.04 * OUTLIER_FACTOR]
    assert keep([*noisy, 0.041 * OUTLIER_FACTOR]) == noisy


def test_of_normal_noise_next_to_nothing_is_left_out() -> None:
    rng = random.Random(3)  # noqa: S311 - no secret
    left_out = sum(20 - len(keep([rng.gauss(0, 0.1) for _ in range(20)])) for _ in range(1000))
    assert left_out < 20_000 / 500


def test_of_nothing_nothing_is_left() -> None:
    assert keep([]) == []


@given(controls, st.randoms(use_true_random=False))
def test_which_process_of_the_baseline_is_which_is_not_asked(found: list[float], rng: random.Random) -> None:
    signs = [rng.choice((1, -1)) for _ in found]
    numbered = list(enumerate(found))
    kept = [number for number, _ in exclude_outliers(numbered, lambda each: each[1], THRESHOLD)]
    turned = [
        number for number, _ in exclude_outliers(numbered, lambda each: signs[each[0]] * each[1], THRESHOLD)
    ]
    assert kept == turned == sorted(kept)


@given(controls)
def test_at_least_half_counts(found: list[float]) -> None:
    assert 2 * len(keep(found)) >= len(found)


@pytest.mark.parametrize("control", [math.inf, -math.inf])
def test_what_has_no_end_is_left_out(control: float) -> None:
    assert keep([0.0, control, 0.0]) == [0.0, 0.0]
