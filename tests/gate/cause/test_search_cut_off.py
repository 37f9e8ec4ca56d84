"""A search that reaches its limit or is interrupted: the result so far."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from support.cause_bench import Bench, bench_fixture, numpy_from, upgrade_fixture  # noqa: F401 - fixtures


def test_the_limit_of_trials_is_reported(bench: Bench) -> None:
    found = bench.search(
        lambda t: {"l0.one"} if "hub" in t and t["openvino"] > "2026" else set(), max_trials=3
    )
    assert found.changes
    assert found.cut_off
    assert "the search reached its limit of 3 trials, so a smaller part may be the cause" in found.sentence
    assert "each of them is necessary" not in found.sentence


def test_the_number_of_environments_is_limited(bench: Bench) -> None:
    """The result is numpy with all transitive changes; the rest is reported as unknown."""
    found = bench.search(numpy_from("2.2"), max_environments=4)
    assert len(bench.observed) == 4
    assert "the limit of 4 trials is reached" in found.sentence


@pytest.mark.parametrize("parallel", [1, 2])
def test_an_interrupted_search_reports_its_result_so_far(parallel: int, bench: Bench) -> None:
    """First no part, then ever smaller ones, then the whole result; every part is red."""
    suite, found = numpy_from("2.2"), []
    for last in range(40):
        found.append(bench.search_until(suite, last, parallel=parallel))
        if "it was interrupted" not in found[-1].sentence:
            break
    names = [[change.name for change in each.changes] for each in found]
    assert names[0] == []
    assert [each.cut_off for each in found if each.changes] == [
        *[True] * (len(names) - names.count([]) - 1),
        False,
    ]
    assert names[-1] == names[-2] == ["numpy"]
    assert found[0].sentence == (
        "it was interrupted; no part smaller than the whole upgrade is known to fail"
    )
    assert all(("numpy" in each) == bool(each) for each in names)
    assert [len(each.changes) + len(each.dragged) for each in found if each.changes] == sorted(
        (len(each.changes) + len(each.dragged) for each in found if each.changes), reverse=True
    )
    assert {each.alone for each in found} == {None, "red"}
    assert found[-2].sentence == (
        "numpy 1.26.2 -> 2.4.6 (transitive: openvino 2025.4 -> 2026.4) alone turns all 2 cases red; "
        "it was interrupted, so a smaller part or an earlier release may be the cause"
    )


def test_a_found_cause_is_kept_if_the_next_search_is_interrupted(bench: Bench) -> None:
    def suite(there: Mapping[str, str]) -> set[str]:
        found = {"l0.one"} if there["openvino"] >= "2026" else set()
        return found | {"l0.two"} if "hub" in there else found

    whole = bench.search(suite)
    cut = [bench.search_until(suite, last) for last in range(2, len(bench.observed))]
    kept = [each for each in cut if each.releases == whole.releases and each.looked_for == whole.looked_for]
    assert kept
    assert all(each.changes == whole.changes for each in kept)
    assert all("it was interrupted" in each.sentence for each in kept)
    trials = [(*each.trials, *(trial for one in each.further for trial in one.trials)) for each in kept]
    every = (*whole.trials, *(trial for one in whole.further for trial in one.trials))
    assert all(each == every[: len(each)] for each in trials)
