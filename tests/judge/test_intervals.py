"""The statistics of the gate: intervals that cover as often as they say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from harness.errors import MachineError
from harness.judge.intervals import METHODS, estimate, signed_rank_interval, t_interval
from harness.records import Interval

SAMPLES = 4000


def draw(kind: str, count: int) -> np.ndarray:
    """Paired log ratios of two arms that are alike, each process with a speed of its own."""
    rng = np.random.default_rng(20)
    shape = (2, SAMPLES, count)
    speed = {
        "even": rng.normal(0, 0.02, shape),
        "bimodal": rng.normal(0, 0.02, shape) + math.log(1.7) * (rng.random(shape) < 0.1),
        "heavy": 0.02 * rng.standard_cauchy(shape),
        "skewed": rng.exponential(0.05, shape),
    }[kind]
    return np.asarray(speed[0] - speed[1])


def misses(interval: np.ndarray, truth: float = 0.0) -> float:
    return float(np.mean((interval[:, 0] > truth) | (interval[:, 2] < truth)))


def covers(found: float, confidence: float) -> bool:
    """Whether so many misses go with this confidence, at 4 standard errors of the simulation."""
    allowed = 1 - confidence
    return found <= allowed + 4 * math.sqrt(allowed * confidence / SAMPLES)


@pytest.mark.parametrize("count", [13, 30])
@pytest.mark.parametrize("kind", ["even", "bimodal", "heavy", "skewed"])
def test_the_interval_covers_whatever_the_noise_is(kind: str, count: int) -> None:
    for confidence in (0.9, 0.99):
        found = misses(signed_rank_interval(draw(kind, count), confidence))
        assert covers(found, confidence), f"misses {found} at {confidence}"


@pytest.mark.parametrize(
    "narrow",
    [
        lambda logs: t_interval(logs, 0.95),
        lambda logs: signed_rank_interval(logs, 0.95),
        lambda logs: 0.8 * signed_rank_interval(logs, 0.99) + 0.2 * np.median(logs, axis=1, keepdims=True),
    ],
)
def test_an_interval_that_is_too_narrow_is_caught(narrow: Callable[[np.ndarray], np.ndarray]) -> None:
    assert not covers(misses(narrow(draw("even", 30))), 0.99)


def test_the_interval_is_what_the_test_does_not_reject() -> None:
    logs = draw("even", 13)[:20]
    for sample, (low, middle, high) in zip(logs, signed_rank_interval(logs, 0.99), strict=True):
        assert low < middle < high
        inside, outside = (
            [stats.wilcoxon(sample - at, method="exact").pvalue for at in (low + step, high - step)]
            for step in (1e-9, -1e-9)
        )
        assert min(inside) > 0.01 >= max(outside)


def test_it_bears_a_few_processes_that_are_far_off() -> None:
    """One process in 30 in a mode 1.7 times as slow: where t gives up, this one does not."""
    logs = draw("even", 45)
    logs[:, ::15] += np.array([1, -1, 1]) * math.log(1.7)
    widths = {name: np.median(np.ptp(method(logs, 0.9999), axis=1)) for name, method in METHODS.items()}
    assert widths["signed-rank"] < 0.5 * widths["t"]


def test_too_few_pairs_have_no_interval() -> None:
    logs = draw("even", 12)[:2]
    needed = 1 - 0.01 / 2 / 13
    assert np.isnan(signed_rank_interval(logs, needed)).all()
    assert np.isfinite(signed_rank_interval(draw("even", 13)[:2], needed)).all()
    assert np.isnan(t_interval(logs[:, :1], 0.9)).all()


def test_equal_pairs_have_a_point() -> None:
    assert signed_rank_interval(np.full((1, 13), 0.25), 0.99).tolist() == [[0.25, 0.25, 0.25]]


# --- estimating -------------------------------------------------------------------------------


def test_each_sample_has_its_ratio() -> None:
    samples = {"a": [math.log(1.2)] * 13, "control:a": [0.0] * 13, "few": [0.1] * 5, "none": []}
    found = estimate(samples, 0.999)
    assert sorted(found) == ["a", "control:a"]
    assert (found["a"].low, found["a"].ratio, found["a"].high) == pytest.approx((1.2, 1.2, 1.2))
    assert found["control:a"] == Interval(low=1.0, ratio=1.0, high=1.0)


def test_the_order_of_the_samples_does_not_matter() -> None:
    logs = draw("even", 15)[:3]
    samples = {str(at): sample.tolist() for at, sample in enumerate(logs)} | {"short": logs[0][:14].tolist()}
    found = estimate(samples, 0.99)
    assert found == estimate(dict(reversed(samples.items())), 0.99)
    low, ratio, high = np.exp(signed_rank_interval(logs, 0.99))[2].tolist()
    assert found["2"] == Interval(low=low, ratio=ratio, high=high)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([math.nan] * 13, "a: one of its log ratios is not finite"),
        ([1e6] * 13, "a: the ratio is not finite"),
    ],
)
def test_what_is_no_number_is_refused_by_name(bad: list[float], message: str) -> None:
    with pytest.raises(MachineError) as raised:
        estimate({"good": [0.1] * 13, "a": bad}, 0.9)
    assert str(raised.value) == message


def test_student_is_there_to_compare_with() -> None:
    assert estimate({"a": [0.0] * 9}, 0.99, method="t") == {"a": Interval(low=1.0, ratio=1.0, high=1.0)}
