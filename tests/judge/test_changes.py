from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.judge.changes import MIN_LEVEL_RUNS, Changes, estimate_slope, find_changes
from harness.judge.changes import find_change_points as find_all

Noise = Any  # numpy.random.Generator, of which the type checker knows nothing
Values = Any


def find_change_points(series: Values) -> tuple[int, ...]:
    (found,) = find_all(series[None, :])
    return found


def normal(seed: Noise, count: int) -> Values:
    return seed.normal(0, 0.04, count)


def heavy(seed: Noise, count: int) -> Values:
    return seed.standard_t(3, count) * 0.03


def spiky(seed: Noise, count: int) -> Values:
    return normal(seed, count) + (seed.random(count) < 0.05) * seed.normal(0, 0.4, count)


@pytest.mark.parametrize("make", [normal, heavy, spiky])
@pytest.mark.parametrize("count", [12, 30, 100])
def test_noise_alone_hardly_ever_has_a_change_point(make: Callable[[Noise, int], Values], count: int) -> None:
    seed = np.random.default_rng(20261122)
    assert sum(bool(find_change_points(make(seed, count))) for _ in range(300)) <= 3


@pytest.mark.parametrize(("count", "found"), [(12, 80), (30, 98)])
def test_a_step_of_five_times_the_noise_is_found_where_it_is(count: int, found: int) -> None:
    seed = np.random.default_rng(7)
    step = np.r_[np.zeros(count // 2), np.full(count - count // 2, 0.2)]
    places = [find_change_points(normal(seed, count) + step) for _ in range(100)]
    assert sum(any(abs(place - count // 2) <= 2 for place in each) for each in places) >= found


def test_two_steps_are_two() -> None:
    seed = np.random.default_rng(3)
    assert find_change_points(np.r_[normal(seed, 15), normal(seed, 15) + 0.5, normal(seed, 15)]) == (15, 30)


def test_one_outlier_is_no_step_and_a_series_without_noise_has_one() -> None:
    flat = np.zeros(20)
    flat[9] = 3.0
    assert find_change_points(flat) == ()
    assert find_change_points(np.r_[np.zeros(10), np.ones(10)]) == (10,)
    assert find_change_points(np.zeros(20)) == ()


def test_many_series_at_once_are_each_as_by_itself() -> None:
    seed = np.random.default_rng(9)
    several = seed.normal(0, 0.04, (300, 90)) + (seed.random((300, 1)) < 0.5) * np.linspace(0, 1, 90).round()
    together = find_all(several)  # more than fit in memory that is held at once
    assert together == [find_change_points(series) for series in several]
    assert 100 < sum(map(bool, together)) < 200


@pytest.mark.parametrize("count", range(2 * MIN_LEVEL_RUNS))
def test_too_few_runs_say_nothing(count: int) -> None:
    assert find_change_points(np.arange(count) ** 3.0) == ()
    assert estimate_slope(np.arange(count) * 1.0, 0.99) is None


def test_a_creep_has_a_slope_and_noise_has_none() -> None:
    seed = np.random.default_rng(5)
    creep = estimate_slope(normal(seed, 40) + np.arange(40) * np.log(1.01), 0.99)
    assert creep is not None
    assert 1 < creep.low < 1.01 < creep.high
    wide = [estimate_slope(normal(seed, 40), 0.99) for _ in range(200)]
    assert sum(each is not None and not each.low <= 1 <= each.high for each in wide) <= 8


def test_every_series_has_its_changes_and_those_asked_for_a_slope() -> None:
    series = {1: [0.0] * 10 + [1.0] * 10, 2: [0.0, 1.0], 3: [0.1 * place for place in range(9)]}
    found = find_changes(series, {1: 10}, confidence=0.99)
    assert (found[1].changes, found[2]) == ((10,), Changes(changes=(), slope=None))
    assert found[1].slope is not None
    assert found[1].slope.ratio == 1.0  # since the step there is none
    assert found[3].slope is None


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99, 1 - 1e-6])
@pytest.mark.parametrize("count", [6, 7, 30, 101])
def test_a_slope_is_that_of_scipy(count: int, confidence: float) -> None:
    seed = np.random.default_rng(count)
    ties = np.round(normal(seed, count), 2)
    for logs in (normal(seed, count), normal(seed, count) + np.arange(count) * 0.01, ties, np.zeros(count)):
        slope, theirs = estimate_slope(logs, confidence), stats.theilslopes(logs, alpha=confidence)
        assert slope is not None
        expected = np.exp([theirs.low_slope, theirs.slope, theirs.high_slope])
        assert (slope.low, slope.ratio, slope.high) == tuple(expected)
