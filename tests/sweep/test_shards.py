"""Machines that share only a commit divide the cells alike, and about equally."""

from __future__ import annotations

import msgspec
import pytest
from support.fake_cells import make_plan, plan_cell
from support.runs import make_result, make_timing

from harness.errors import UsageError
from harness.records import Plan, PlannedCell
from harness.sweep.shards import cut_shard, divide, measure_durations

BASE = plan_cell("base", baseline=True)
CELLS = tuple(plan_cell(f"c{number}") for number in range(6))


def divided(plan: Plan, count: int, **durations: float) -> list[tuple[str, ...]]:
    return [shard.cells for shard in divide(plan, count, durations)]


def ids(cells: tuple[PlannedCell, ...]) -> list[str]:
    return [each.cell.id for each in cells]


def test_the_longest_cells_go_to_different_shards() -> None:
    plan = make_plan(BASE, *CELLS)
    shards = divide(plan, 3, {"c0": 1, "c1": 9, "c2": 2, "c3": 8, "c4": 3, "c5": 7, "base": 50})
    assert [(shard.cells, shard.weight) for shard in shards] == [
        (("c1", "c0", "base"), 10),
        (("c3", "c2"), 10),
        (("c5", "c4"), 10),
    ]


def test_without_durations_all_shards_have_as_many_cells() -> None:
    shards = divide(make_plan(BASE, *CELLS), 3, {})
    assert [shard.weight for shard in shards] == [2, 2, 2]
    assert sorted(cell for shard in shards for cell in shard.cells) == sorted(ids((BASE, *CELLS)))


def test_a_cell_without_a_duration_counts_as_the_mean() -> None:
    assert divided(make_plan(BASE, *CELLS[:4]), 2, c0=10, c1=2, c2=3) == [("c0", "base"), ("c3", "c2", "c1")]


def test_the_order_of_durations_is_of_no_consequence() -> None:
    plan, durations = make_plan(BASE, *CELLS), {"c0": 3.1, "c1": 3.1, "c2": 0.7, "c4": 3.1}
    assert divide(plan, 4, durations) == divide(plan, 4, dict(reversed(durations.items())))


def test_cells_of_one_lock_stay_together() -> None:
    twin = plan_cell("twin", same_as="c0")
    assert divided(make_plan(BASE, *CELLS[:3], twin), 2) == [("c0", "twin", "base"), ("c1", "c2")]


def test_every_shard_runs_the_baseline_and_keeps_the_order_of_the_matrix() -> None:
    plan = make_plan(CELLS[0], BASE, *CELLS[1:], plan_cell("never", reason="no"))
    shards = [cut_shard(plan, number, 3, {}) for number in (1, 2, 3)]
    assert [ids(shard.cells) for shard in shards] == [
        ["c0", "base", "c3"],
        ["base", "c1", "c4", "never"],
        ["base", "c2", "c5"],
    ]
    assert {shard.baseline for shard in shards} == {"base"}
    assert all(shard.subset and shard.scenarios == plan.scenarios for shard in shards)
    assert [shard.whole for shard in shards] == [shards[0].whole] * 3
    assert shards[0].whole == msgspec.structs.replace(plan, shards=divide(plan, 3, {}))
    assert msgspec.json.decode(msgspec.json.encode(shards[1]), type=Plan) == shards[1]


def test_a_baseline_that_shares_a_run_has_one_of_its_own_where_the_other_cell_is_not() -> None:
    base = plan_cell("base", same_as="c0", baseline=True)
    first, second = (cut_shard(make_plan(CELLS[0], base, CELLS[1]), number, 2, {}) for number in (1, 2))
    assert [(each.cell.id, each.same_as) for each in first.cells] == [("base", None), ("c1", None)]
    assert [(each.cell.id, each.same_as) for each in second.cells] == [("c0", None), ("base", "c0")]


def test_more_shards_than_cells_are_refused() -> None:
    plan = make_plan(BASE, CELLS[0], plan_cell("twin", same_as="c0"))
    with pytest.raises(
        UsageError, match=r"^--shard: 3 shards, but the sweep has 2 cells .* at most 2 shards$"
    ):
        divide(plan, 3, {})
    assert divided(plan, 2) == [("c0", "twin"), ("base",)]


def test_a_plan_that_names_a_shard_of_nothing_is_refused() -> None:
    plan = cut_shard(make_plan(BASE, *CELLS), 2, 3, {})
    for changes in ({"shard": 4}, {"whole": None}, {"shard": -1}):
        with pytest.raises(ValueError, match=r"shard: .* is none of those that the plan has"):
            msgspec.structs.replace(plan, **changes)


def test_durations_are_those_of_checks_and_of_own_turns() -> None:
    results = [
        make_result(
            "a",
            seconds={"environment": 1, "imports": 2, "contract": 3, "latency": 500},
            timings=(make_timing(iterations=10, rounds=(0.1, 0.2)),),
        ),
        make_result("never", status="unsatisfiable", seconds={}),
    ]
    assert measure_durations(results) == {"a": 9.0}
