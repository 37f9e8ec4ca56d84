"""Shards from several machines become one run, which says what a whole sweep says."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.fake_cells import make_plan, plan_cell
from support.shards import CELLS, SHARDS, cut, make_whole, sweep

from harness.errors import UsageError
from harness.records import CellResult, Run
from harness.runs.folder import RunFolder, judge_again, read_folder
from harness.runs.merging import merge_shards, read_shards, write_merged
from harness.sweep.shards import cut_shard


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of one machine alone."""
    plan = make_whole()
    folder = sweep(tmp_path_factory.mktemp("whole") / "m", plan)
    return judge_again(folder)[0]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of all shards."""
    root = tmp_path_factory.mktemp("shards")
    return [sweep(root / f"m{number}", cut(number)) for number in range(1, SHARDS + 1)]


@pytest.fixture
def shards(swept: list[Path], tmp_path: Path) -> list[Path]:
    """Copies of the folders of all shards, as a job collects them."""
    return [shutil.copytree(path, tmp_path / "artifacts" / path.name) for path in swept]


def merge(folders: Sequence[Path]) -> Run:
    return merge_shards(read_shards(folders)).run


def edit(folder: Path, cell: str, **changes: Any) -> None:
    """Change the result of a cell, as its own machine would have written it."""
    path = folder / "cells" / cell / "result.json"
    result = msgspec.json.decode(path.read_bytes(), type=CellResult)
    RunFolder(folder).write_result(msgspec.structs.replace(result, **changes))


def outcomes(run: Run) -> dict[str, Any]:
    """What a run says, without what was measured and when."""
    judged = run.judgement
    return {
        "verdict": (judged.verdict, judged.sentence),
        "cells": [
            msgspec.structs.replace(each, reason="" if each.status == "ok" else each.reason)
            for each in judged.cells
        ],
        "findings": [(each.cell, each.check, each.outcome) for each in judged.findings],
        "latency": [(each.cell, each.scenario) for each in judged.latency],
        "stale": judged.stale_expectations,
    }


def test_a_merged_run_says_what_a_whole_sweep_says(shards: list[Path], whole: Run) -> None:
    run = merge([*shards[1:], shards[0]])
    assert outcomes(run) == outcomes(whole)
    assert run.judgement.verdict == "regressed"
    assert run.plan.cells == whole.plan.cells
    assert (run.plan.subset, run.plan.created) == (False, "2026-11-22T01:00:00+00:00")
    assert run.plan.whole is None
    assert run.reused == ()


def test_shards_are_found_in_subfolders_without_copies_of_the_latest(shards: list[Path]) -> None:
    shutil.copytree(shards[2], shards[2].with_name("latest"))
    assert [part.path for part in read_shards([shards[0].parents[1]])] == shards


def test_the_baseline_counts_once_and_by_its_worst_result(shards: list[Path]) -> None:
    path = shards[1] / "cells" / "good-0" / "result.json"
    result = msgspec.json.decode(path.read_bytes(), type=CellResult)
    first = msgspec.structs.replace(result.cases[0], outcome="fail", message="worse there")
    edit(shards[1], "good-0", status="failed", cases=(first, *result.cases[1:]))
    merged = merge_shards(read_shards(shards))
    run = merged.run
    assert [each.cell for each in run.results].count("good-0") == 1
    assert merged.homes["good-0"].name == "2/3"
    (note,) = merged.notes
    assert note == (
        f"good-0 differs between the shards in 1 of its cases, first in {first.id}; "
        "that of shard 2/3 counts, where the fewest cases pass"
    )
    assert "good-0" in run.judgement.sentence


def test_latency_is_compared_within_a_shard(shards: list[Path]) -> None:
    run = merge(shards)
    sessions = {
        result.cell: {timing.session for timing in result.timings} for result in run.results if result.timings
    }
    assert sessions == {
        "good-0": {"2026-shard-1.1"},
        "good-1": {"2026-shard-1.1"},
        "failing": {"2026-shard-2.1"},
        "good-3": {"2026-shard-3.1"},
        "good-4": {"2026-shard-1.1"},
        "good-5": {"2026-shard-3.1"},
    }
    assert all(timing.baseline and timing.control for each in run.results for timing in each.timings)


def test_machines_are_facts_and_their_classes_are_never_mixed(shards: list[Path]) -> None:
    run = merge(shards)
    machines = {each.cell: each.facts.get("machine") for each in run.results}
    assert machines["good-1"] == "Xeon, 1 cores, machine class class-1"
    assert machines["failing"] == "Xeon, 2 cores, machine class class-2"
    assert machines["never"] is None
    assert run.plan.machine == {
        "cpu": "Xeon",
        "shards": "3",
        "classes": "2",
        "class": run.plan.machine["class"],
    }
    assert run.plan.machine["class"] not in {"class-1", "class-2"}
    alike = merge(shards)
    assert alike.plan.machine == run.plan.machine
    one = merge(shards[1:])
    assert (one.plan.machine["class"], one.plan.machine["shards"]) == ("class-2", "2")


@pytest.mark.parametrize(
    ("found", "joined"),
    [
        (("namespaces", "namespaces"), "namespaces"),
        (("none: a", "none: a"), "none: a"),
        (("namespaces", "none: a"), "none: in shard 2/3"),
        (("none: a", "none: b"), "none: in shard 1/3, 2/3"),
    ],
)
def test_a_merged_run_is_isolated_where_all_shards_are(
    found: tuple[str, str], joined: str, tmp_path: Path
) -> None:
    plans = [cut(number, isolation=text) for number, text in enumerate(found, 1)]
    folders = [RunFolder.create(tmp_path, plan).path for plan in plans]
    assert merge(folders).plan.isolation == joined


def test_a_missing_shard_is_inconclusive(tmp_path: Path) -> None:
    cells = (plan_cell("good-0", baseline=True), plan_cell("good-1"), plan_cell("good-2"))
    plan = make_plan(*cells)
    folder = sweep(tmp_path / "m", cut_shard(plan, 2, 2, {}))
    judged = merge([folder]).judgement
    assert (judged.verdict, judged.sentence) == (
        "inconclusive",
        "Results of shard 1/2 are missing, of good-1; sweep it and merge again.",
    )
    reasons = {each.cell: (each.status, each.reason) for each in judged.cells}
    assert reasons["good-1"] == ("missing", "shard 1/2 has no result of this cell, or was not merged")
    assert reasons["good-0"][0] == "ok"


def test_a_shard_that_was_cut_off_is_missing_in_part(shards: list[Path]) -> None:
    shutil.rmtree(shards[2] / "cells" / "good-3")
    (shards[2] / "results.json").unlink()
    statuses = {each.cell: each.status for each in merge(shards).judgement.cells}
    assert (statuses["good-3"], statuses["good-0"]) == ("missing", "ok")


def test_a_shard_whose_results_were_edited_loses_them(shards: list[Path]) -> None:
    path = shards[1] / "cells" / "failing" / "result.json"
    path.write_bytes(path.read_bytes().replace(b'"failed"', b'"ok"'))
    (part,) = [part for part in read_shards(shards) if part.plan.shard == 2]
    assert part.stored.problems == (
        f"{path}: its content has changed: it does not match its seal; the cell counts as missing",
    )


def test_the_same_shard_twice_is_refused(shards: list[Path], tmp_path: Path) -> None:
    again = shutil.copytree(shards[1], tmp_path / "again")
    with pytest.raises(UsageError) as raised:
        read_shards([*shards, again])
    assert str(raised.value) == f"{shards[1]} and {again} are both shard 2/3; merge one of them"


def test_changes_that_are_in_no_commit_are_told(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(make_whole(), commit="c0ffee+changes")
    folder = RunFolder.create(tmp_path, cut_shard(plan, 1, SHARDS, {})).path
    assert merge_shards(read_shards([folder])).notes == (
        "shard 2/3 is missing",
        "shard 3/3 is missing",
        "files differed from the commit; they may have differed between the shards, too",
    )


OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "commit": ({"commit": "decade"}, "commit c0ffee and decade; sweep every shard at the same commit"),
    "lock": (
        {"cells": (*CELLS[:-1], plan_cell("never", reason="another"))},
        "the cell never is in one of them only, or its lock or its checks differ; commit the locks",
    ),
    "cell": ({"cells": CELLS[:-1]}, "the cell never is in one of them only"),
    "rounds": ({"scenarios": ()}, "their scenarios differ; sweep every shard with the same --rounds"),
    "tolerances": (
        {"tolerances": {"a": 1.0}},
        "their tolerances differ; sweep every shard with the same matrix",
    ),
    "matrix": ({"matrix": "other"}, "matrix fake and other; merge the sweeps of one matrix only"),
}


@pytest.mark.parametrize("other", OTHER)
def test_shards_of_different_plans_are_refused(other: str, shards: list[Path], tmp_path: Path) -> None:
    changes, said = OTHER[other]
    plan = msgspec.structs.replace(make_whole(), run="other", **changes)
    folder = RunFolder.create(tmp_path / "other", cut_shard(plan, 3, SHARDS, {})).path
    with pytest.raises(UsageError) as raised:
        read_shards([*shards[:2], folder])
    between = f"{shards[0]} (shard 1/3) and {folder} (shard 3/3) are not of one sweep: "
    assert str(raised.value).startswith(between + said)


def test_shards_that_are_divided_otherwise_are_refused(shards: list[Path], tmp_path: Path) -> None:
    two = RunFolder.create(tmp_path / "two", cut(2, 2)).path
    with pytest.raises(UsageError, match="are not of one sweep: 3 and 2 shards; sweep every shard with the"):
        read_shards([shards[0], two])
    plan = msgspec.structs.replace(make_whole(), run="other")
    other = RunFolder.create(tmp_path / "o", cut_shard(plan, 2, SHARDS, {"good-3": 100.0, "failing": 1})).path
    with pytest.raises(UsageError, match=r"their cells are divided differently; .* the same --durations"):
        read_shards([shards[0], other])


def test_a_run_that_is_no_shard_is_refused(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, make_whole()).path
    with pytest.raises(UsageError) as raised:
        read_shards([folder])
    assert str(raised.value) == (
        f"{folder}: no shard of a sweep; `harness sweep --shard 1/2` sweeps the first of two shards"
    )


def test_a_merged_run_is_an_ordinary_run(shards: list[Path], tmp_path: Path) -> None:
    merged = merge_shards(read_shards(shards))
    run, folder = merged.run, write_merged(merged, tmp_path / "runs")
    folder.finish()
    again, stored = judge_again(folder.path)
    assert (again.judgement, again.results, stored.problems) == (run.judgement, run.results, ())
    assert again.seconds == run.seconds
    assert (folder.path / "cells" / "failing" / "log.txt").read_bytes() == (
        shards[1] / "cells" / "failing" / "log.txt"
    ).read_bytes()
    snapshot = read_folder(folder.path)
    assert (snapshot.run, snapshot.subset, len(snapshot.cells)) == (run.plan.run, False, len(CELLS))
    assert (tmp_path / "runs" / "latest").resolve() == folder.path.resolve()


def test_published_results_of_shards_suffice(shards: list[Path]) -> None:
    assert outcomes(merge([path / "results.json" for path in shards])) == outcomes(merge(shards))
