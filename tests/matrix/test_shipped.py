"""The data that comes with the harness can be meant: matrices, locks, expectations, tolerances."""

from __future__ import annotations

import fnmatch
import gzip
import re
from pathlib import Path

import msgspec
import pytest

from harness.cell.interface import load_checks
from harness.judge.verdict import judge
from harness.matrix.cells import cells_of
from harness.matrix.expand import array_path, cell_id, expand, read_array
from harness.matrix.expected import expectations_for, tolerances_of
from harness.matrix.read import matrix_files, read_matrix, shipped_matrices
from harness.matrix.toml_file import read_toml
from harness.records import Expectation, Plan, Run
from harness.resolve.lockfile import locks_folder, read_lock
from harness.resolve.locks import check_locks

MATRICES = matrix_files(shipped_matrices())
LINUX = "linux-x86_64"


def test_which_matrices_there_are() -> None:
    sizes = {path.stem: len(cells_of(read_matrix(path))) for path in MATRICES}
    assert sizes.items() >= {"compat": 21, "openvino": 36, "smoke": 2, "weekly": 38}.items()


@pytest.mark.parametrize("path", MATRICES, ids=lambda path: path.stem)
def test_a_matrix_and_what_lies_beside_it(path: Path) -> None:
    matrix = read_matrix(path)
    assert check_locks(matrix) == ()
    assert sum(cell.baseline for cell in cells_of(matrix)) == 1
    document = read_toml(path)
    array = read_array(array_path(path), document) if "cover" in document else ()
    assert [cell_id(row) for row in expand(document, array=array)] == [cell.id for cell in cells_of(matrix)]
    assert all(re.fullmatch(r"[a-z0-9_.-]+", cell.id) for cell in cells_of(matrix))
    expectations_for(matrix)
    assert tolerances_of(matrix)


@pytest.mark.parametrize("name", ["compat", "openvino", "smoke", "weekly"])
def test_locks_are_for_linux_and_say_the_fate_of_each_cell(name: str) -> None:
    matrix = read_matrix(shipped_matrices() / f"{name}.toml")
    for cell in cells_of(matrix):
        lock = read_lock(locks_folder(matrix, LINUX) / f"{cell.id}.txt")
        versions = {found.name: found.version for found in lock.distributions}
        # The facts as measured: openvino up to 2025.4 bounds NumPy below what NumPy 2.4 is.
        bounded = cell.axes.get("openvino", "2026") < "2026" and cell.axes["numpy"].startswith("2.4")
        assert bool(lock.reason) is bounded
        if not bounded:
            assert cell.axes.items() <= versions.items()
            assert versions["torch"] == "2.13.0+cpu"
            assert {len(found.sha256) for found in lock.distributions} == {1}


def _of_planned_checks(plan: Plan, expectations: tuple[Expectation, ...]) -> tuple[Expectation, ...]:
    """The expectations without checks that are newer than the published run, and were not planned in it."""
    cases = {case for planned in plan.cells for case in planned.cases}
    kept = (
        msgspec.structs.replace(
            each, check=tuple(check for check in each.checks if fnmatch.filter(cases, check)) or None
        )
        for each in expectations
    )
    return tuple(each for each in kept if each.check or each.status)


@pytest.mark.parametrize("name", ["compat", "openvino", "weekly"])
def test_published_sweeps_are_judged_as_before_with_the_expectations_of_today(name: str, root: Path) -> None:
    packed = root / "reports" / name / "results.json.gz"
    run = msgspec.json.decode(gzip.decompress(packed.read_bytes()), type=Run)
    matrix = read_matrix(shipped_matrices() / f"{name}.toml")
    today = msgspec.structs.replace(
        run.plan, expectations=_of_planned_checks(run.plan, expectations_for(matrix))
    )

    published = run.judgement
    for plan in (run.plan, today):
        judged = judge(plan, run.results, load_checks())
        assert [(e.cell, e.check, e.outcome) for e in judged.findings] == [
            (e.cell, e.check, e.outcome) for e in published.findings
        ]
        assert [(e.cell, e.status, e.red) for e in judged.cells] == [
            (e.cell, e.status, e.red) for e in published.cells
        ]
        assert (judged.verdict, judged.stale_expectations) == (published.verdict, ())


def test_no_lock_names_a_host_or_a_folder() -> None:
    named = re.compile(r"://|\.org|\.com|(?:^|\s)/\w")
    locks = [*shipped_matrices().glob("locks/*/*/*.txt"), *shipped_matrices().glob("locks/*/cover.json")]
    assert {lock.suffix for lock in locks} == {".txt", ".json"}
    assert [lock for lock in locks if named.search(lock.read_text(encoding="utf-8"))] == []
