from __future__ import annotations

import pytest

from perf.scale import find_bound, simulate


@pytest.mark.parametrize(
    ("seconds", "workers", "span", "bound"),
    [
        ([10.0] * 12, 1, 120.0, 120.0),
        ([10.0] * 12, 4, 30.0, 30.0),
        ([10.0] * 13, 4, 40.0, 32.5),
        ([1.0, 1.0, 9.0], 2, 10.0, 9.0),  # the longest comes last
        ([5.0, 7.0], 500, 7.0, 7.0),
    ],
)
def test_a_sweep_on_a_cluster_takes_as_long_as_its_busiest_worker(
    seconds: list[float], workers: int, span: float, bound: float
) -> None:
    assert simulate(seconds, workers) == pytest.approx(span)
    assert find_bound(seconds, workers) == bound
