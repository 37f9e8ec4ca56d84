"""Merge the shards of a sweep, run on several machines, into one run that is judged like a whole."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.files import copy_whole, inside
from harness.records import CellResult, Plan, Run, describe_machine, digest_value
from harness.runs.folder import (
    KEPT,
    LATEST,
    PLAN,
    RESULTS_FILE,
    RunFolder,
    StoredRun,
    assemble,
    is_run,
    name_run,
    read_kept,
    read_stored,
    write_results,
)

_SAME: dict[str, str] = {
    "matrix": "merge the sweeps of one matrix only",
    "commit": "sweep every shard at the same commit",
    "cells": "commit the locks (`harness lock`), and sweep all with the same --only, --skip and --checks",
    "shards": "sweep every shard with the same number of shards and the same --durations",
    "scenarios": "sweep every shard with the same --rounds, and all or none with --no-latency",
} | dict.fromkeys(
    ("title", "baseline", "baseline_cell", "expectations", "borrowed", "service", "tolerances", "subset"),
    "sweep every shard with the same matrix and the same files beside it",
)
"""The fields of the whole plan that all shards share, with what to do where one differs."""


@dataclass(frozen=True)
class Part:
    """A shard that was swept: its folder or file of results, what it holds, and the seconds of its phases."""

    path: Path
    stored: StoredRun
    whole: Plan
    seconds: dict[str, float]

    @property
    def plan(self) -> Plan:
        """The plan of the shard."""
        return self.stored.plan

    @property
    def name(self) -> str:
        """The number of the shard and that of all, such as ``2/8``."""
        return f"{self.plan.shard}/{len(self.whole.shards)}"


@dataclass(frozen=True)
class Merged:
    """The run of all shards, the shard of each cell that has a result, and what to know about both."""

    run: Run
    homes: dict[str, Part]
    notes: tuple[str, ...]


def read_shards(folders: Sequence[Path]) -> tuple[Part, ...]:
    """Read shards, ordered by their number; a folder is that of a shard, or has those of several below it.

    Raises:
        UsageError: one is no shard, a shard is there twice, or they are not of the same sweep.
    """
    parts = [_read_shard(path) for folder in folders for path in _find_runs(folder)]
    parts.sort(key=lambda part: part.plan.shard)
    for part in parts[1:]:
        _refuse_another_sweep(part, parts[0])
    for before, after in itertools.pairwise(parts):
        if before.plan.shard == after.plan.shard:
            raise UsageError(f"{before.path} and {after.path} are both shard {after.name}; merge one of them")
    return tuple(parts)


def _find_runs(folder: Path) -> Sequence[Path]:
    """The folder itself, or a file of results, else every run below it: a job puts artifacts into subfolders.

    The link to the latest run is left out; some uploads replace it by a copy.

    Raises:
        UsageError: there is none.
    """
    if not folder.is_dir() or is_run(folder):
        return (folder,)
    found = sorted(path.parent for path in folder.rglob(PLAN) if path.parent.name != LATEST)
    if not found:
        raise UsageError(f"{folder}: no run in it; name the folders that `harness sweep --shard 1/2` wrote")
    return found


def _read_shard(path: Path) -> Part:
    stored = read_stored(path)
    if stored.plan.whole is None or not stored.plan.shard:
        raise UsageError(
            f"{path}: no shard of a sweep; `harness sweep --shard 1/2` sweeps the first of two shards"
        )
    kept = read_kept(path / RESULTS_FILE if path.is_dir() else path)
    return Part(path, stored, stored.plan.whole, kept.seconds)


def _refuse_another_sweep(part: Part, first: Part) -> None:
    for field, advice in _SAME.items():
        mine, other = getattr(part.whole, field), getattr(first.whole, field)
        if mine != other:
            raise UsageError(
                f"{first.path} (shard {first.name}) and {part.path} (shard {part.name}) are not of one "
                f"sweep: {_describe_difference(field, other, mine)}; {advice}"
            )


def _describe_difference(field: str, first: Any, other: Any) -> str:
    if isinstance(first, str):
        return f"{field} {first or 'unknown'} and {other or 'unknown'}"
    if field == "shards" and len(first) != len(other):
        return f"{len(first)} and {len(other)} shards"
    if field == "cells":
        here, there = ({each.cell.id: each for each in cells} for cells in (first, other))
        cell = next((name for name in here | there if here.get(name) != there.get(name)), "")
        return f"the cell {cell} is in one of them only, or its lock or its checks differ"
    return "their cells are divided differently" if field == "shards" else f"their {field} differ"


def merge_shards(parts: Sequence[Part]) -> Merged:
    """Merge shards into one judged run.

    A cell of several shards, the baseline, counts once: the result in which the fewest cases pass, so that
    no failure is lost. The run is as old as its oldest shard, and took as long as its slowest.
    """
    chosen, notes = _choose_results(parts)
    homes = {cell: part for cell, (part, _) in chosen.items()}
    plan = msgspec.structs.replace(
        parts[0].whole,
        run=name_run(parts[0].whole.matrix),
        created=min(part.plan.created for part in parts),
        machine=_join_machines(parts, homes),
        isolation=_join_isolation(parts),
    )
    results = tuple(_adopt(*chosen[each.cell.id], plan) for each in plan.cells if each.cell.id in chosen)
    reused = tuple(result.cell for result in results if result.run != plan.run)
    phases = dict.fromkeys(phase for part in parts for phase in part.seconds)
    seconds = {phase: max(part.seconds.get(phase, 0.0) for part in parts) for phase in phases}
    return Merged(assemble(plan, results, reused=reused, seconds=seconds), homes, notes)


def _choose_results(
    parts: Sequence[Part],
) -> tuple[dict[str, tuple[Part, CellResult]], tuple[str, ...]]:
    found: dict[str, list[tuple[Part, CellResult]]] = {}
    for part in parts:
        for result in part.stored.results:
            found.setdefault(result.cell, []).append((part, result))
    chosen, there = {}, {part.plan.shard for part in parts}
    count = len(parts[0].whole.shards)
    notes = [f"shard {number}/{count} is missing" for number in range(1, count + 1) if number not in there]
    if parts[0].whole.commit.endswith("+changes"):
        notes.append("files differed from the commit; they may have differed between the shards, too")
    for cell, several in found.items():
        chosen[cell] = min(several, key=lambda each: _count_passes(each[1]))
        if differing := _find_differing([result for _, result in several]):
            notes.append(
                f"{cell} differs between the shards in {len(differing)} of its cases, first in "
                f"{differing[0]}; that of shard {chosen[cell][0].name} counts, where the fewest cases pass"
            )
    return chosen, tuple(notes)


def _count_passes(result: CellResult) -> int:
    return sum(case.outcome == "pass" for case in result.cases)


def _find_differing(results: Sequence[CellResult]) -> list[str]:
    """The cases that have not the same outcome in all results of a cell."""
    outcomes = [{case.id: case.outcome for case in result.cases} for result in results]
    known = dict.fromkeys(case for each in outcomes for case in each)
    return [case for case in known if len({each.get(case) for each in outcomes}) > 1]


def _join_machines(parts: Sequence[Part], homes: Mapping[str, Part]) -> dict[str, str]:
    """The facts that all machines share, and the class of the run.

    Latency is compared within a class. Where shards ran on several, the class stands for which cell ran on
    which, so that such a run is comparable with those divided alike only.
    """
    machines = [part.plan.machine for part in parts]
    joined = {
        name: text for name, text in machines[0].items() if all(each.get(name) == text for each in machines)
    }
    joined["shards"] = str(len(parts))
    classes = {machine.get("class", "") for machine in machines}
    if len(classes) > 1:
        joined["classes"] = str(len(classes))
        joined["class"] = digest_value(
            {cell: part.plan.machine.get("class", "") for cell, part in homes.items()}
        )[:16]
    return joined


def _join_isolation(parts: Sequence[Part]) -> str:
    """What was in force in all shards; each cell has that of its own among its facts."""
    first, *others = (part.plan.isolation for part in parts)
    if all(each == first for each in others):
        return first
    without = ", ".join(part.name for part in parts if not part.plan.isolation.startswith("namespaces"))
    return f"none: in shard {without}"


def _adopt(part: Part, result: CellResult, plan: Plan) -> CellResult:
    """The result as one of the merged run, with its machine as a fact."""
    measured = result.run == part.plan.run
    facts = {**result.facts, "machine": describe_machine(part.plan.machine)}
    return msgspec.structs.replace(
        result,
        run=plan.run if measured else result.run,
        facts=result.facts if result.status == "unsatisfiable" else facts,
    )


def write_merged(merged: Merged, runs: Path) -> RunFolder:
    """Write a merged run into a folder of its own; it stays marked as unfinished until it is rendered.

    Raises:
        OSError: the folder cannot be written.
        UsageError: the folder of a cell is a link that leads out of its shard.
    """
    folder = RunFolder.create(runs, merged.run.plan)
    for result in merged.run.results:
        source = merged.homes[result.cell].path
        if source.is_dir():
            cell = inside(source / "cells", result.cell, f"{source}: the id of a cell")
            for name in KEPT:
                copy_whole(cell / name, folder.cell(result.cell) / name)
        folder.write_result(result)
    write_results(merged.run, folder.path)
    return folder
