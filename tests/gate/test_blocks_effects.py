"""The effects of processes from the rounds of a block."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.blocks import compare_rounds

SECONDS = st.floats(1e-6, 10.0)


def test_a_constant_slowdown_is_the_effect() -> None:
    base = [1.0, 2.0, 3.0, 2.0, 1.0]
    found = compare_rounds({"a": base, "b": base, "c": [1.1 * each for each in base]})
    assert found["c"] - found["a"] == pytest.approx(math.log(1.1))
    assert found["a"] == pytest.approx(found["b"])


def test_a_burst_in_one_round_has_no_effect() -> None:
    quiet = [1.0] * 7
    found = compare_rounds({"a": quiet, "b": quiet, "c": [1.0, 1.0, 5.0, 1.0, 1.0, 1.0, 1.0]})
    assert found == {"a": 0.0, "b": 0.0, "c": 0.0}


def test_distant_rounds_are_not_compared() -> None:
    """The median over rounds with the same number is -2.5, over all pairs -2, over neighbouring rounds -1."""
    logs = {"a": (1, 0, 3, 0), "b": (3, 3, 0, 3)}
    found = compare_rounds({name: [math.exp(each) for each in mine] for name, mine in logs.items()})
    assert found["a"] - found["b"] == pytest.approx(-1.0)


@given(
    st.integers(1, 9).flatmap(
        lambda n: st.lists(st.lists(SECONDS, min_size=n, max_size=n), min_size=3, max_size=3)
    )
)
def test_effects_do_not_depend_on_the_names_of_processes(rounds: list[list[float]]) -> None:
    """So the difference of identical arms is symmetric for any noise."""
    plain = compare_rounds(dict(zip("abc", rounds, strict=True)))
    assert sum(plain.values()) == pytest.approx(0, abs=1e-9)
    for names in itertools.permutations("abc"):
        again = compare_rounds(dict(zip(names, rounds, strict=True)))
        for place, name in enumerate(names):
            assert again[name] == pytest.approx(plain["abc"[place]], abs=1e-9)


def test_effects_are_less_noisy_than_medians_of_the_arms() -> None:
    """Other load halves the speed for several rounds at a time; ``python -m proof`` measures it."""
    rng = random.Random(1)  # noqa: S311 - made-up noise
    ours, simple = [], []
    for _ in range(200):
        slow = False
        found: dict[str, list[float]] = {name: [] for name in "abc"}
        for _ in range(20):
            for name in rng.sample("abc", 3):
                slow ^= rng.random() < 0.1
                found[name].append((2.0 if slow else 1.0) * rng.lognormvariate(0, 0.02))
        effects = compare_rounds(found)
        ours.append(effects["a"] - effects["b"])
        simple.append(math.log(statistics.median(found["a"]) / statistics.median(found["b"])))
    assert 4 * statistics.pstdev(ours) < statistics.pstdev(simple)
