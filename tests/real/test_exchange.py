"""What other tools read of a sweep, read by those tools; and the sweep as a part of history."""

from __future__ import annotations

import csv
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml
from planted.bench import Sweep

from harness.errors import ExitCode

if TYPE_CHECKING:
    from planted.bench import Bench

pytestmark = pytest.mark.real

CELL = "numpy-2.4.6_sentence-transformers-6.2.0"


@pytest.fixture(scope="module")
def sweep(bench: Bench) -> Sweep:
    """One cell of the smallest matrix, one check, three rounds of each scenario."""
    options = ("--only", CELL, "--checks", "env.versions", "--rounds", "3", "--plain")
    places = ("--store", bench.store, "--reports", bench.reports)
    done = bench.harness.run("sweep", "--matrix", "smoke", *options, *places)
    return bench.read(done.returncode, done.stdout + done.stderr, "smoke")


def test_pytest_benchmark_compares_what_a_cell_leaves(sweep: Sweep, bench: Bench) -> None:
    written = sweep.folder / "cells" / CELL / "benchmark.json"
    (tool, *_) = bench.store.glob("envs/*/bin/pytest-benchmark")
    done = subprocess.run(
        [tool, "compare", written, "--columns=median,rounds"],
        capture_output=True,
        text=True,
        check=False,
        cwd=bench.folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    timed = {timing.scenario for timing in sweep.result("2.4.6").timings}
    assert {name for name in timed if f"[{name}]" not in done.stdout} == set()
    assert timed


def test_junit_and_csv_have_every_case(sweep: Sweep) -> None:
    document = JUnitXml.fromfile(str(sweep.folder / "junit.xml"))
    owed = [case for planned in sweep.run.plan.cells for case in planned.cases]
    assert sum(case.name in owed for suite in document for case in suite) == len(owed) == 1
    with (sweep.folder / "measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows if row["measure"] == "check"] == owed
    timed = [row for row in rows if row["measure"] == "latency"]
    assert len(timed) == len(sweep.result("2.4.6").timings)
    assert all(float(row["value"]) > 0 for row in timed)


def test_it_is_in_the_history_with_its_commit_and_equals_itself(sweep: Sweep, bench: Bench) -> None:
    listed = bench.harness.run("history", "--matrix", "smoke", "--json", "--reports", bench.reports)
    (run,) = [each for each in json.loads(listed.stdout) if each["run"] == sweep.run.plan.run]
    assert (run["verdict"], run["cells"]) == (sweep.run.judgement.verdict, 1)
    assert run["commit"] == sweep.run.plan.commit
    compared = bench.harness.run(
        "compare", sweep.run.plan.run, sweep.folder / "results.json", "--json", "--reports", bench.reports
    )
    assert compared.returncode == ExitCode.PASS, compared.stderr
    found = json.loads(compared.stdout)
    assert (found["cells"], found["cases"], found["differences"]) == (1, 1, [])
