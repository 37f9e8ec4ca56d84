"""The covering array of a matrix: made by resolving, kept from one lock to the next, refused when stale."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from planted.wheels import build_wheel
from support.plan_texts import make_matrix, put_matrix

from harness.errors import UsageError
from harness.matrix.cells import cells_of, suite_requirements
from harness.matrix.covering import describe_versions
from harness.matrix.expand import ArrayError, array_path
from harness.matrix.read import describe_lock, read_matrix
from harness.matrix.schema import Matrix
from harness.records import Combination, Notify, Progress, discard
from harness.resolve import locks as locking
from harness.resolve.array_file import array_digest, find_coverage, read_array_file
from harness.resolve.lockfile import locks_folder, platform_tag, read_lock
from harness.resolve.pip_settings import IndexSettings
from harness.sweep.planning import build_plan

TEXT = """\
schema = 1
title = "Three axes"
cover = 2

[axes]
numpy = ["1.0", "2.0", "3.0"]
openvino = ["1.0", "2.0"]
sentence-transformers = ["1.0", "2.0"]

[baseline]
numpy = "1.0"
openvino = "1.0"
sentence-transformers = "1.0"

[pins]
python = { version = "3.11", reason = "what the service runs on" }
torch = { version = "1.0", reason = "the only one" }

[model]
path = "model"
"""


def plant(folder: Path, name: str, version: str, *requires: str) -> None:
    build_wheel(folder, name, version, {f"{name.replace('-', '_')}.py": ""}, requires=requires)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> IndexSettings:
    """openvino 1.0 needs numpy below 3, and both sentence-transformers 2.0 and numpy 1.0 another helper."""
    folder = tmp_path_factory.mktemp("wheels")
    for text in suite_requirements():
        plant(folder, text.partition(">")[0], "99")
    for version in ("1.0", "2.0"):
        plant(folder, "helper", version)
        plant(folder, "sentence-transformers", version, f"helper=={version}")
        plant(folder, "openvino", version, *(["numpy<3"] if version == "1.0" else []))
    plant(folder, "numpy", "1.0", "helper<2")
    plant(folder, "numpy", "2.0")
    plant(folder, "numpy", "3.0")
    plant(folder, "torch", "1.0")
    return IndexSettings(find_links=(str(folder),), no_index=True)


def lock(path: Path, settings: IndexSettings, notify: Notify = discard) -> list[tuple[str, str]]:
    changes = asyncio.run(locking.lock_matrix(read_matrix(path, array=False), settings, notify=notify))
    return [(change.kind, change.path.stem) for change in changes]


def covered(matrix: Matrix) -> dict[str, Combination]:
    coverage = find_coverage(matrix, {})
    assert coverage is not None
    return {describe_versions(each.versions): each for each in coverage.combinations}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, settings: IndexSettings) -> Path:
    """A locked matrix, which no test changes."""
    path = put_matrix(tmp_path_factory.mktemp("project"), TEXT)
    lock(path, settings)
    return path


def test_every_pair_is_in_a_cell_that_resolved_or_has_a_reason(locked: Path) -> None:
    file = read_array_file(read_matrix(locked))
    assert [each.versions for each in file.no_solution] == [
        {"numpy": "1.0", "sentence-transformers": "2.0"},
        {"numpy": "3.0", "openvino": "1.0"},
    ]
    assert "helper" in file.no_solution[0].reason
    assert file.no_solution[1].reason.startswith("Because openvino<=1.0 depends on numpy<3")

    matrix = read_matrix(locked)
    cells = {cell.id: cell for cell in cells_of(matrix)}
    locks = [read_lock(locks_folder(matrix, platform_tag()) / f"{cell}.txt") for cell in cells]
    assert [each.reason for each in locks] == [""] * len(cells)
    assert sum(cell.baseline for cell in cells.values()) == 1
    coverage = find_coverage(matrix, {})
    assert coverage is not None
    assert (coverage.product, len(coverage.combinations)) == (12, 16)
    for each in coverage.combinations:
        assert each.ruled_out or each.versions.items() <= cells[each.cell].axes.items()
    assert sum(bool(each.ruled_out) for each in coverage.combinations) == 2
    assert locking.check_locks(matrix) == ()


def test_the_file_has_a_row_a_line_and_is_read_without_the_harness(locked: Path) -> None:
    lines = array_path(locked).read_text(encoding="utf-8").splitlines()
    assert ' "cover": 2,' in lines
    assert '  ["1.0", "1.0", "1.0"],' in lines
    assert '  "numpy": ["1.0", "2.0", "3.0"],' in lines
    assert json.loads("\n".join(lines))["platform"] == platform_tag()


def test_locking_again_keeps_the_rows_and_asks_little(locked: Path, settings: IndexSettings) -> None:
    asked: list[str] = []

    def notify(progress: Progress) -> None:
        asked.extend([progress.cell] if progress.stage == "resolving" else [])

    assert {kind for kind, _ in lock(locked, settings, notify)} == {"unchanged"}
    assert asked == [cell.id for cell in cells_of(read_matrix(locked))]  # none that has no solution

    asked.clear()
    kept = locking.lock_matrix(read_matrix(locked, array=False), settings, notify=notify, keep=True)
    assert [(change.kind, change.path.stem) for change in asyncio.run(kept)] == [("unchanged", "cover")]
    assert asked == []


def test_rows_stay_when_a_version_is_added(tmp_path: Path, locked: Path, settings: IndexSettings) -> None:
    path = put_matrix(tmp_path, TEXT.replace('"2.0", "3.0"]', '"2.0"]'))
    lock(path, settings)
    before = set(read_array_file(read_matrix(path)).rows)
    path.write_text(TEXT, encoding="utf-8")
    with pytest.raises(ArrayError) as told:
        read_matrix(path)
    assert str(told.value) == (
        f"{array_path(path)}: the matrix has other axes than its covering array; run `{describe_lock(path)}`"
    )
    lock(path, settings)
    after = read_array_file(read_matrix(path))
    assert before <= set(after.rows)
    assert after.no_solution == read_array_file(read_matrix(locked)).no_solution


def test_a_matrix_without_its_array_is_refused_with_the_command(tmp_path: Path) -> None:
    path = put_matrix(tmp_path, TEXT)
    with pytest.raises(ArrayError) as told:
        read_matrix(path)
    assert str(told.value) == (
        f"{array_path(path)}: the matrix has cover = 2, but no array yet; run `{describe_lock(path)}`"
    )
    assert [row.versions for row in read_matrix(path, array=False).rows] == [
        {"numpy": "1.0", "openvino": "1.0", "sentence-transformers": "1.0"}
    ]


def copy_locked(locked: Path, folder: Path, text: str = TEXT) -> Path:
    path = put_matrix(folder, text)
    array_path(path).parent.mkdir(parents=True)
    array_path(path).write_bytes(array_path(locked).read_bytes())
    return path


def test_a_row_that_is_lost_and_other_pins_are_refused(tmp_path: Path, locked: Path) -> None:
    path = copy_locked(locked, tmp_path / "lost")
    file = json.loads(array_path(path).read_text(encoding="utf-8"))
    file["rows"] = [row for row in file["rows"] if row[:2] != ["3.0", "2.0"]]
    array_path(path).write_text(json.dumps(file), encoding="utf-8")
    (found,) = (each for each in locking.check_locks(read_matrix(path)) if each.kind == "stale")
    assert "the covering array lacks numpy 3.0, openvino 2.0;" in found.message

    path = copy_locked(locked, tmp_path / "pins", TEXT.replace('version = "1.0"', 'version = ">=1"'))
    with pytest.raises(UsageError, match="has changed since its covering array was made; run `"):
        asyncio.run(build_plan(read_matrix(path), IndexSettings(no_index=True), machine={}))
    (found,) = (each for each in locking.check_locks(read_matrix(path)) if each.kind == "stale")
    assert "has changed since its covering array was made; run `" in found.message


def test_what_is_ruled_out_is_resolved_again(tmp_path: Path, locked: Path, settings: IndexSettings) -> None:
    path = Path(shutil.copytree(locked.parent, tmp_path / "matrices")) / locked.name

    def check() -> list[str]:
        checking = locking.check_locks_by_resolving(read_matrix(path), settings)
        return [finding.message for finding in asyncio.run(checking)]

    assert check() == []
    file = json.loads(array_path(path).read_text(encoding="utf-8"))
    file["no_solution"].append({"versions": {"numpy": "2.0", "openvino": "1.0"}, "reason": "of last year"})
    array_path(path).write_text(json.dumps(file), encoding="utf-8")
    assert locking.check_locks(read_matrix(path)) == ()  # which does not resolve
    place = f"{array_path(path)}: numpy 2.0, openvino 1.0"
    assert check() == [f"{place} has a solution now; run `{describe_lock(path)}`"]
    file["platform"] = "elsewhere"
    file["inputs"] = array_digest(read_matrix(path), "elsewhere")
    array_path(path).write_text(json.dumps(file), encoding="utf-8")
    assert check() == []  # another platform ruled it out


def test_a_cell_without_a_solution_here_is_no_proof(locked: Path) -> None:
    matrix = read_matrix(locked)
    cell = next(each for each in cells_of(matrix) if each.axes["numpy"] == "3.0")
    committed = read_lock(locks_folder(matrix, platform_tag()) / f"{cell.id}.txt")
    coverage = find_coverage(
        matrix, {cell.id: msgspec.structs.replace(committed, distributions=(), reason="no wheel")}
    )
    assert coverage is not None
    left = [each for each in coverage.combinations if each.unresolved]
    assert left
    assert all(each.cell == cell.id and "3.0" in each.versions.values() for each in left)


def test_the_plan_has_the_proof(locked: Path, settings: IndexSettings) -> None:
    matrix = read_matrix(locked)
    plan = asyncio.run(build_plan(matrix, settings, machine={}))
    assert plan.coverage == find_coverage(matrix, {})


def test_an_array_of_another_platform_stays(tmp_path: Path, locked: Path, settings: IndexSettings) -> None:
    path = copy_locked(locked, tmp_path)
    file = json.loads(array_path(path).read_text(encoding="utf-8")) | {"platform": "elsewhere"}
    file["inputs"] = array_digest(read_matrix(path), "elsewhere")
    array_path(path).write_text(json.dumps(file), encoding="utf-8")
    lock(path, settings)
    assert read_array_file(read_matrix(path)).platform == "elsewhere"
    assert read_array_file(read_matrix(path)).rows == read_array_file(read_matrix(locked)).rows


def test_without_the_key_the_array_goes(tmp_path: Path, locked: Path, settings: IndexSettings) -> None:
    path = copy_locked(locked, tmp_path, TEXT.replace("cover = 2\n", "").replace(', "3.0"]', "]"))
    assert [each.kind for each in locking.check_locks(read_matrix(path))][:1] == ["orphaned"]
    assert lock(path, settings)[0] == ("removed", "cover")
    assert not array_path(path).exists()


def test_axes_without_any_solution_are_an_error(tmp_path: Path, settings: IndexSettings) -> None:
    path = put_matrix(tmp_path, TEXT.replace('torch = { version = "1.0"', 'torch = { version = "7.0"'))
    with pytest.raises(UsageError, match=r"axes: no row has a solution: .*torch==7\.0"):
        lock(path, settings)


def test_include_rows_and_the_baseline_are_always_cells(tmp_path: Path, settings: IndexSettings) -> None:
    text = TEXT.replace('baseline]\nnumpy = "1.0"', 'baseline]\nnumpy = "3.0"')
    included = '\n[[include]]\nnumpy = "2.0"\nopenvino = "2.0"\nsentence-transformers = "2.0"\nreason = "r"\n'
    excluded = '\n[[exclude]]\nnumpy = "2.0"\nopenvino = "1.0"\nreason = "not in use"\n'
    path = put_matrix(tmp_path, text + included + excluded)
    lock(path, settings)
    matrix = read_matrix(path)
    rows = [tuple(row.versions.values()) for row in matrix.rows]
    assert rows[-1] == ("2.0", "2.0", "2.0")
    assert len(set(rows)) == len(rows)
    baseline = next(cell for cell in cells_of(matrix) if cell.baseline)
    assert baseline.id == "numpy-3.0_openvino-1.0_sentence-transformers-1.0"
    assert read_lock(locks_folder(matrix, platform_tag()) / f"{baseline.id}.txt").reason
    assert not any(row[:2] == ("2.0", "1.0") for row in rows)
    assert covered(matrix)["numpy 2.0, openvino 1.0"].ruled_out == (0,)
    assert (
        covered(matrix)["numpy 3.0, openvino 1.0"].unresolved is False
    )  # it counts as resolved without its lock
    assert locking.check_locks(matrix) == ()


def test_the_support_matrix_has_no_proof(tmp_path: Path) -> None:
    assert find_coverage(make_matrix(tmp_path), {}) is None
