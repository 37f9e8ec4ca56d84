"""One machine, two with a shard each, and two workers of a cluster say the same, each with its own store.

What a shard leaves is read by other tools, too, and is a part of history.
"""

from __future__ import annotations

import csv
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml
from machines.comparing import find_differences
from planted.bench import read_run

from harness.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from planted.bench import Bench

    from harness.records import Run

pytestmark = pytest.mark.real

SHARDS = 2
CHECKS = ("--checks", "l0.typical/*", "--checks", "l2.*", "--checks", "gold.*")
"""A few of each kind: in a cell alone, with the reference, and with the baseline of the same shard."""


def sweep(bench: Bench, machine: str, *options: str) -> tuple[Path, Run]:
    """Sweep the smoke matrix on a machine of this name."""
    reports, store = bench.folder / machine / "reports", bench.folder / machine / "store"
    places = ("--matrix", "smoke", "--plain", "--reports", reports, "--store", store)
    done = bench.harness.run("sweep", *places, *CHECKS, *options)
    assert done.returncode == ExitCode.PASS, done.stdout + done.stderr
    (folder,) = reports.glob("runs/2*smoke*")
    return read_run(folder)


@pytest.fixture(scope="module")
def shards(bench: Bench) -> list[tuple[Path, Run]]:
    """The shards, with few rounds of latency."""
    numbers = range(1, SHARDS + 1)
    return [
        sweep(bench, f"machine-{number}", "--shard", f"{number}/{SHARDS}", "--rounds", "1")
        for number in numbers
    ]


@pytest.fixture(scope="module")
def merged(bench: Bench, shards: list[tuple[Path, Run]]) -> Run:
    """Both shards in one run."""
    done = bench.harness.run("merge", *(folder for folder, _ in shards), "--reports", bench.folder / "merged")
    assert done.returncode == ExitCode.PASS, done.stdout + done.stderr
    (folder,) = bench.folder.glob("merged/runs/2*smoke*")
    return read_run(folder)[1]


@pytest.fixture(scope="module")
def whole(bench: Bench) -> Run:
    """The sweep of one machine, without latency."""
    return sweep(bench, "alone", "--no-latency")[1]


def test_shards_say_what_a_whole_sweep_says(whole: Run, merged: Run) -> None:
    assert not any(find_differences(whole, merged).values())
    assert len(merged.plan.cells) == SHARDS
    compared = [each for each in merged.judgement.findings if each.check.startswith("gold.vectors")]
    assert [each.outcome for each in compared] == ["pass"] * len(compared) != []


def test_every_shard_measures_the_baseline_and_its_noise(shards: list[tuple[Path, Run]], merged: Run) -> None:
    for _, run in shards:
        (baseline,) = [each for each in run.results if each.cell == run.plan.baseline]
        assert len(baseline.timings) == len(run.plan.scenarios) > 0
        assert all(timing.control for timing in baseline.timings)
    sessions = {each.cell: {timing.session for timing in each.timings} for each in merged.results}
    assert all(len(names) == 1 for names in sessions.values())
    assert all(row.ratio and row.floor for row in merged.judgement.latency)


def test_workers_say_what_a_whole_sweep_says(bench: Bench, whole: Run) -> None:
    _, run = sweep(bench, "client", "--no-latency", "--executor", "dask://local?workers=2")
    assert not any(find_differences(whole, run).values())
    assert run.plan.machine["class"] == whole.plan.machine["class"]
    environments = [[*folder.iterdir()] for folder in bench.folder.glob("client/store-worker-*/envs")]
    assert [len(found) for found in environments] == [1, 1]
    assert not (bench.folder / "client" / "store" / "envs").exists()


@pytest.fixture(scope="module")
def shard(shards: list[tuple[Path, Run]]) -> tuple[Path, Run]:
    """One of them, which is a run like any other."""
    return shards[-1]


def test_pytest_benchmark_compares_what_a_cell_leaves(shard: tuple[Path, Run], bench: Bench) -> None:
    folder, run = shard
    (tool, *_) = (bench.folder / f"machine-{SHARDS}" / "store").glob("envs/*/bin/pytest-benchmark")
    for result in run.results:
        written = folder / "cells" / result.cell / "benchmark.json"
        command = [str(tool), "compare", str(written), "--columns=median,rounds"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=bench.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        timed = {timing.scenario for timing in result.timings}
        assert {name for name in timed if f"[{name}]" not in done.stdout} == set() != timed


def test_junit_and_csv_have_every_case(shard: tuple[Path, Run]) -> None:
    folder, run = shard
    document = JUnitXml.fromfile(str(folder / "junit.xml"))
    owed = [case for planned in run.plan.cells for case in planned.cases]
    assert sorted(case.name for suite in document for case in suite if case.name in owed) == sorted(owed)
    with (folder / "measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows if row["measure"] == "check"] == owed
    timed = [row for row in rows if row["measure"] == "latency"]
    assert len(timed) == sum(len(result.timings) for result in run.results) > 0
    assert all(float(row["value"]) > 0 for row in timed)


def test_it_is_in_the_history_with_its_commit_and_equals_itself(
    shard: tuple[Path, Run], bench: Bench
) -> None:
    folder, run = shard
    reports = folder.parents[1]
    listed = bench.harness.run("history", "--matrix", "smoke", "--json", "--reports", reports)
    (found,) = [each for each in json.loads(listed.stdout) if each["run"] == run.plan.run]
    assert (found["verdict"], found["cells"]) == (run.judgement.verdict, len(run.plan.cells))
    assert found["commit"] == run.plan.commit
    itself = (run.plan.run, folder / "results.json")
    done = bench.harness.run("compare", *itself, "--json", "--reports", reports)
    assert done.returncode == ExitCode.PASS, done.stderr
    compared = json.loads(done.stdout)
    cases = sum(len(planned.cases) for planned in run.plan.cells)
    assert (compared["cells"], compared["cases"], compared["differences"]) == (len(run.plan.cells), cases, [])
