"""The plan promises everything before anything runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from support.plan_texts import PLAIN, make_matrix

from harness.cell.interface import list_measured_by, load_checks, load_scenarios
from harness.errors import UsageError
from harness.matrix.cells import cells_of
from harness.matrix.read import describe_lock, find_matrix
from harness.matrix.schema import Matrix, Stored
from harness.records import Cell, Distribution, Lock, Plan, ScenarioPlan
from harness.resolve.lockfile import inputs_digest, locks_folder, make_lock, platform_tag, write_lock
from harness.resolve.locks import NEEDED
from harness.resolve.pip_settings import IndexSettings
from harness.sweep.planning import PlanOptions, build_plan, cases_of
from harness.sweep.run_sweep import check_files

OFFLINE = IndexSettings(no_index=True)


def lock_of(cell: Cell, matrix: Matrix, *, reason: str = "", version: str = "1.0") -> Lock:
    inputs = inputs_digest(cell, matrix.resolve, platform_tag())
    if reason:
        return make_lock(cell, platform_tag(), inputs, reason=reason)
    found = (Distribution(name=name, version=version, sha256=("a" * 64,)) for name in ("numpy", *NEEDED))
    return make_lock(cell, platform_tag(), inputs, distributions=tuple(found))


def put_locks(matrix: Matrix, *locks: Lock) -> None:
    for lock in locks:
        write_lock(lock, locks_folder(matrix, platform_tag()) / f"{lock.cell}.txt")


def plan_of(matrix: Matrix, **options: object) -> Plan:
    asked = msgspec.convert({"run_id": "r1", **options}, PlanOptions)
    return asyncio.run(build_plan(matrix, OFFLINE, asked, machine={"cpu": "some"}))


@pytest.fixture
def matrix(tmp_path: Path) -> Matrix:
    """A matrix with locks: two equal ones, one that has no solution, one of its own."""
    made = make_matrix(tmp_path, PLAIN + "\n[latency]\nrounds = 7\n")
    first, second, third, fourth = cells_of(made)
    put_locks(
        made,
        lock_of(first, made),
        lock_of(second, made),
        lock_of(third, made, reason="Because."),
        lock_of(fourth, made, version="2.0"),
    )
    return made


def test_whole_plan(matrix: Matrix) -> None:
    plan = plan_of(matrix)
    asked = [check for check in load_checks() if not check.needs]  # no vectors of an index
    cases = tuple(case for check in asked for case in check.cases(("manual", "stable")))
    alone = list_measured_by("cell", cases)
    assert len(alone) == len(cases) - 4  # the baseline is not compared with itself
    ids = [cell.id for cell in cells_of(matrix)]
    assert [(each.cell.id, each.cases, each.same_as, each.lock.origin) for each in plan.cells] == [
        (ids[0], alone, None, "committed"),
        (ids[1], alone, ids[0], "committed"),
        (ids[2], (), None, "committed"),
        (ids[3], cases, None, "committed"),
    ]
    assert (plan.run, plan.matrix, plan.matrix_path, plan.title) == (
        "r1",
        "mine",
        str(matrix.path),
        "Two by two",
    )
    assert (plan.baseline, plan.baseline_cell, plan.subset, plan.machine) == (
        ids[0],
        None,
        False,
        {"cpu": "some"},
    )
    assert plan.scenarios == tuple(
        ScenarioPlan(id=scenario.id, rounds=7, target_seconds=0.005) for scenario in load_scenarios()
    )
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_selection_keeps_the_baseline_at_hand(matrix: Matrix) -> None:
    plan = plan_of(matrix, only=["*6.2.0"])
    ids = [cell.id for cell in cells_of(matrix)]
    assert [each.cell.id for each in plan.cells] == [ids[1], ids[3]]
    assert [each.same_as for each in plan.cells] == [None, None]
    assert plan.subset
    assert plan.baseline == ids[0]
    assert plan.baseline_cell is not None
    assert plan.baseline_cell.cell.id == ids[0]


def test_a_stale_lock_is_refused(matrix: Matrix) -> None:
    matrix.path.write_text(
        matrix.path.read_text(encoding="utf-8").replace(">=2.6", ">=2.7"), encoding="utf-8"
    )
    changed = make_matrix(matrix.folder, matrix.path.read_text(encoding="utf-8"))
    folder = locks_folder(matrix, platform_tag())
    with pytest.raises(UsageError) as told:
        plan_of(changed)
    assert str(told.value) == "\n".join(
        f"{folder / cell.id}.txt: stale lock: mine has changed since {cell.id} was locked; "
        f"run `{describe_lock(changed.path)}`"
        for cell in cells_of(changed)
    )


def test_a_subject_of_the_users_own_owes_its_cases(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, PLAIN + '\n[subject]\nnormalizer = "service.norm:normalize"\n')
    put_locks(matrix, *(lock_of(cell, matrix) for cell in cells_of(matrix)))
    plan = plan_of(matrix)
    assert {name for case in plan.cells[0].cases for name in case.split("/")} >= {
        "subject",
        "manual",
        "stable",
    }
    assert any(scenario.id.startswith("normalize.subject.") for scenario in plan.scenarios)


def test_matrices_are_found_by_name(tmp_path: Path, root: Path) -> None:
    make_matrix(tmp_path / "matrices")
    assert find_matrix("mine", tmp_path) == tmp_path / "matrices" / "mine.toml"
    assert find_matrix("compat", tmp_path) == root / "matrices" / "compat.toml"
    assert find_matrix("other/some.toml", tmp_path) == tmp_path / "other" / "some.toml"
    with pytest.raises(UsageError) as told:
        find_matrix("mime", tmp_path)
    assert str(told.value).startswith("--matrix mime: no such matrix (did you mean 'mine'?); there are: ")
    make_matrix(tmp_path / "matrices", PLAIN).path.rename(tmp_path / "matrices" / "compat.toml")
    assert find_matrix("compat", tmp_path) == tmp_path / "matrices" / "compat.toml"


def test_stored_vectors_are_compared_where_a_matrix_names_them(matrix: Matrix) -> None:
    stored = msgspec.structs.replace(matrix, stored=Stored(vectors="sample.npz"))
    more = {*cases_of(stored)} - {*cases_of(matrix)}
    assert more == {"gold.stored", "gold.stored-ranking"}


def test_an_invalid_file_of_stored_vectors_is_refused_by_key(matrix: Matrix) -> None:
    (matrix.folder / "sample.npz").write_bytes(b"nothing")
    stored = msgspec.structs.replace(matrix, stored=Stored(vectors="sample.npz"))
    with pytest.raises(UsageError, match=r"stored\.vectors: .*sample\.npz"):
        check_files(stored)
