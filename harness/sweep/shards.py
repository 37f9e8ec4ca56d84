"""Divide the cells of a plan among machines, each of which sweeps one shard with the baseline in it.

Machines that share nothing but a commit have to agree on the shards. So these depend on the plan and on
durations that every machine reads from the same file; durations of the machine's own past runs differ.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

import msgspec

from harness.errors import UsageError
from harness.records import CellResult, Plan, PlannedCell, Shard
from harness.runs.find import CHECKS


def measure_durations(results: Iterable[CellResult]) -> dict[str, float]:
    """Cell -> seconds of its checks and of its turns in the latency phase; cells that did not run are absent.

    A process waits for the turns of all others, so the wall time of the latency phase is not that of a cell.
    """
    found = {}
    for result in results:
        checks = sum(result.seconds.get(stage, 0.0) for stage in CHECKS)
        turns = sum(timing.iterations * sum(timing.rounds) for timing in result.timings)
        if checks + turns > 0:
            found[result.cell] = round(checks + turns, 3)
    return found


def cut_shard(plan: Plan, number: int, count: int, durations: Mapping[str, float]) -> Plan:
    """The plan of one of ``count`` shards: its cells and the baseline, which every shard runs.

    Raises:
        UsageError: there are more shards than runs of cells.
    """
    whole = msgspec.structs.replace(plan, shards=divide(plan, count, durations))
    ids = {*whole.shards[number - 1].cells, plan.baseline}
    chosen = [each for each in plan.cells if each.cell.id in ids]
    return msgspec.structs.replace(plan, cells=_share_runs(chosen), subset=True, shard=number, whole=whole)


def _share_runs(cells: Iterable[PlannedCell]) -> tuple[PlannedCell, ...]:
    """The cells of a shard; the first of a lock runs, whichever ran in the whole plan."""
    first: dict[str, str] = {}
    shared = []
    for each in cells:
        runs = each.cell.id if each.lock.reason else first.setdefault(each.lock.digest, each.cell.id)
        shared.append(msgspec.structs.replace(each, same_as=None if runs == each.cell.id else runs))
    return tuple(shared)


def divide(plan: Plan, count: int, durations: Mapping[str, float]) -> tuple[Shard, ...]:
    """Divide all cells into ``count`` shards of about equal weight: the longest run first, to the lightest.

    Cells of one lock stay together. A run of unknown duration has the mean of the known ones. Cells without a
    run of their own in a shard (of the baseline's lock, or without a solution) have no weight.

    Raises:
        UsageError: there are more shards than runs of cells.
    """
    runs = _group_runs(plan)
    if count > len(runs):
        raise UsageError(
            f"--shard: {count} shards, but the sweep has {len(runs)} cells with locks of their own; "
            f"use at most {len(runs)} shards"
        )
    weights = _weigh(plan, runs, durations)
    loads = [0.0] * count
    shards: list[list[str]] = [[] for _ in range(count)]
    for at in sorted(range(len(runs)), key=lambda at: -weights[at]):  # stable: else in the order of the plan
        lightest = min(range(count), key=lambda number: (loads[number], len(shards[number])))
        loads[lightest] += weights[at]
        shards[lightest] += runs[at]
    return tuple(
        Shard(cells=tuple(cells), weight=round(load, 3)) for cells, load in zip(shards, loads, strict=True)
    )


def count_shards(plan: Plan, most: int) -> int:
    """The number of shards, at most ``most``, that have a run besides the baseline's, at least one."""
    weights = _weigh(plan, _group_runs(plan), {})
    return max(1, min(most, sum(weight > 0 for weight in weights)))


def _group_runs(plan: Plan) -> list[list[str]]:
    """The cells by the run that they share, in the order of the plan."""
    groups: dict[str, list[str]] = {}
    for each in plan.cells:
        groups.setdefault(each.cell.id if each.lock.reason else each.lock.digest, []).append(each.cell.id)
    return list(groups.values())


def _weigh(plan: Plan, runs: list[list[str]], durations: Mapping[str, float]) -> list[float]:
    locks = {each.cell.id: each.lock for each in plan.cells}
    baseline = locks[plan.baseline].digest if plan.baseline in locks else ""
    costs = [
        None if lock.reason or lock.digest == baseline else max(durations.get(cell, 0.0) for cell in cells)
        for cells in runs
        if (lock := locks[cells[0]])
    ]
    known = [cost for cost in costs if cost]
    usual = statistics.fmean(known) if known else 1.0
    return [0.0 if cost is None else cost or usual for cost in costs]
