"""A matrix that forgets what the suite imports is told so before anything runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from support.gate_world import MATRIX, make_world
from support.plan_texts import make_matrix

from harness.cell.start import PACKAGES
from harness.errors import UsageError
from harness.gate.request import UpgradeRequest, compare
from harness.matrix.read import read_matrix, shipped_matrices
from harness.matrix.schema import Matrix
from harness.resolve.locks import NEEDED, lock_matrix
from harness.resolve.pip_settings import IndexSettings
from harness.sweep.planning import build_plan

OPENVINO = 'openvino = { version = "2025.4", reason = "what the service runs on" }\n'
TORCH = 'torch = { version = ">=2.6", reason = "older ones lack something" }\n'
REFERENCES = 'sentence-transformers = ["3.3.1", "6.2.0"]\n'
REFERENCE = 'sentence-transformers = "3.3.1"\n'


def without(folder: Path, *lines: str) -> tuple[Matrix, IndexSettings]:
    text = MATRIX
    for line in lines:
        assert line in text
        text = text.replace(line, "")
    _, settings = make_world(folder)
    return make_matrix(folder / "mine", text), settings


def refused(matrix: Matrix, settings: IndexSettings) -> str:
    with pytest.raises(UsageError) as told:
        asyncio.run(build_plan(matrix, settings, machine={}))
    return str(told.value)


def test_what_nothing_brings_along_is_named_with_an_example(tmp_path: Path) -> None:
    matrix, settings = without(tmp_path, OPENVINO)
    assert refused(matrix, settings) == (
        f"{matrix.path}: pins.openvino: the suite imports openvino, which is missing in "
        "numpy-1.26.2_sentence-transformers-3.3.1 and 2 more; name it as an axis, or under [pins], such as "
        'openvino = { version = "2026.4.1", reason = "what we run" }'
    )


def test_every_one_that_is_lacking_is_named(tmp_path: Path) -> None:
    matrix, settings = without(tmp_path, OPENVINO, TORCH, REFERENCES, REFERENCE)
    told = refused(matrix, settings).splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in told] == [f"pins.{name}" for name in NEEDED]


def test_the_example_is_one_that_can_be_pasted(tmp_path: Path) -> None:
    matrix, settings = without(tmp_path, OPENVINO)
    pasted = refused(matrix, settings).partition("such as ")[2].replace("2026.4.1", "2025.4") + "\n"
    text = matrix.path.read_text(encoding="utf-8").replace("[pins]\n", f"[pins]\n{pasted}")
    assert asyncio.run(build_plan(make_matrix(tmp_path / "mine", text), settings, machine={})).cells


def test_what_a_dependency_brings_along_is_there(tmp_path: Path) -> None:
    matrix, settings = without(tmp_path, TORCH)
    plan = asyncio.run(build_plan(matrix, settings, machine={}))
    locked = [{found.name for found in each.lock.distributions} for each in plan.cells]
    assert [NEEDED.keys() <= names for names in locked] == [not each.lock.reason for each in plan.cells]


def test_no_lock_is_written_for_it(tmp_path: Path) -> None:
    matrix, settings = without(tmp_path, OPENVINO)
    with pytest.raises(UsageError, match=r"pins\.openvino"):
        asyncio.run(lock_matrix(matrix, settings))
    assert not (matrix.folder / "locks").exists()


@pytest.mark.parametrize("file", [None, "was.txt"])
def test_a_gate_has_no_baseline_without_it(tmp_path: Path, file: str | None) -> None:
    matrix, settings = without(tmp_path, OPENVINO)
    (tmp_path / "was.txt").write_text("numpy==1.26.2\nsentence-transformers==3.3.1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"pins\.openvino"):
        asyncio.run(
            compare(UpgradeRequest(from_file=file, changes=("numpy==2.0.2",)), matrix, settings, tmp_path)
        )


def test_the_suite_imports_nothing_else_that_could_be_lacking() -> None:
    imported = {str(canonicalize_name(name)) for name in PACKAGES}
    assert imported - {"numpy", "transformers"} == set(NEEDED)  # those two come along with the reference


def test_the_examples_are_versions_of_the_default_matrix() -> None:
    compat = read_matrix(shipped_matrices() / "compat.toml")
    pinned = {name: (pin.version,) for name, pin in compat.pins.items()} | compat.axes
    assert {name: version in pinned[name] for name, version in NEEDED.items()} == dict.fromkeys(NEEDED, True)
