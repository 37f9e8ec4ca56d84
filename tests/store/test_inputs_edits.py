"""A cell that edits what it was given: it does not count, and what others are given is untouched or told."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.fake_cells import START, Lab, make_plan, plan_cell
from support.runs import CASES, make_planned, make_result
from support.runs import make_plan as plan_run
from support.verdicts import told

from harness.cell.start import read_sources_only
from harness.matrix.schema import Subject
from harness.records import Expectation
from harness.store.inputs import SharedFiles, find_environment_edits, invalidate, read_suite
from harness.store.manifest import CHECKED, write_manifest
from harness.store.models import ObtainedModel, identify_inputs

if TYPE_CHECKING:
    from harness.store.inputs import CellInputs

WHY = (
    "changed while it ran (by the cell, or by something else on this machine), so nothing that it measured "
    "counts"
)
LIE = ('"failing": "fail"', '"failing":   "pass"')  # another size, or bytecode would hide it


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_text("weights")
    (tmp_path / "service.py").write_text("def norm(rows): return rows")
    return Lab(tmp_path)


def plan_edits(lab: Lab, *edits: tuple[str, str, str]) -> None:
    (lab.folder / "edits.json").write_text(json.dumps(edits))


def test_a_cell_that_edits_the_suite_turns_no_other_green(lab: Lab) -> None:
    assert LIE[0] in START
    plan_edits(lab, ("<suite>/harness/cell/start.py", *LIE))
    cells = (plan_cell("editing"), plan_cell("failing"), plan_cell("good"))
    swept = lab.run(make_plan(*cells), jobs=1)
    first, *others = swept.results
    assert (first.status, first.cases, first.edited) == ("failed", (), ("harness/cell/start.py",))
    assert first.reason == f"harness/cell/start.py {WHY}"
    assert [(result.status, result.edited) for result in others] == [("failed", ()), ("ok", ())]
    assert lab.run(make_plan(*cells, run="run-2"), jobs=1).reused == ("failing", "good")


@pytest.mark.parametrize("name", ["model/weights.bin", "service.py"])
def test_no_cell_counts_that_ran_when_a_shared_file_changed(lab: Lab, name: str) -> None:
    path = lab.folder / name
    plan_edits(lab, (str(path), "w", "m"))
    cells = (plan_cell("good-1"), plan_cell("editing"), plan_cell("good-2"))
    results = lab.run(make_plan(*cells), jobs=1).results
    assert [(each.cell, each.status) for each in results] == [
        ("good-1", "ok"),
        ("editing", "failed"),
        ("good-2", "failed"),
    ]
    assert {each.reason for each in results[1:]} == {f"{path} {WHY}"}
    assert lab.run(make_plan(cells[0], run="run-2")).reused == ("good-1",)


def test_a_cell_that_edits_while_latency_is_measured_does_not_count_either(lab: Lab) -> None:
    plan_edits(lab, ("<suite>/harness/cell/start.py", *LIE))
    cells = (plan_cell("good", baseline=True), plan_cell("meddling"))
    good, meddling = lab.run(make_plan(*cells, scenarios=1), latency=True).results
    assert (good.status, bool(good.timings)) == ("ok", True)
    assert (meddling.status, meddling.timings, meddling.cases) == ("failed", (), ())
    assert meddling.reason == f"harness/cell/start.py {WHY}"


@pytest.mark.parametrize(
    ("change", "edits"),
    [
        ("write", ("model/weights.bin",)),
        ("link", ()),
        ("bytecode", ()),
        ("add", ("model/more.bin",)),
        ("add-code", ("added.py",)),
        ("remove", ("service.py",)),
    ],
)
def test_a_shared_file_is_known_by_its_status(lab: Lab, change: str, edits: tuple[str, ...]) -> None:
    inputs = SharedFiles.of(lab.material)
    model, subject = lab.folder / "model", lab.folder / "service.py"
    match change:
        case "write":
            (model / "weights.bin").write_text("Weights")
        case "link":
            (lab.folder / "elsewhere.bin").hardlink_to(model / "weights.bin")
        case "bytecode":
            (lab.folder / "__pycache__").mkdir()
            (lab.folder / "__pycache__" / "service.pyc").write_text("x")
        case "add":
            (model / "more.bin").write_text("x")
        case "add-code":
            (lab.folder / "added.py").write_text("x")
        case _:
            subject.unlink()
    assert inputs.find_edits() == tuple(str(lab.folder / name) for name in edits)


def test_corpus_golden_and_subject_package_are_looked_at(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    files = [tmp_path / name for name in ("corpus.toml", "golden.json", "service/data.bin")]
    for file in files:
        file.write_text("1")
    material: CellInputs = replace(
        lab.material, corpus=files[0], golden=files[1], subject=Subject(normalizer="service.norm:to_unit")
    )
    inputs = SharedFiles.of(material)
    (tmp_path / "service" / "written.log").write_text("a subject may write beside its code")
    assert inputs.find_edits() == ()
    for file in files:
        file.write_text("22")
    assert inputs.find_edits() == tuple(sorted(str(file) for file in files))


def test_an_edited_environment_is_detected(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    (tmp_path / "numpy.py").write_text("1")
    assert find_environment_edits(python) == ()
    write_manifest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    for name in ("__pycache__/numpy.cpython-311.pyc", CHECKED, ".writing-held-abcdefgh"):
        (tmp_path / name).write_text("a cell compiles what it imports, and the harness notes it")
    assert find_environment_edits(python) == ()
    (tmp_path / "numpy.py").write_text("22")
    (edit,) = find_environment_edits(python)
    assert edit.startswith("the environment: 1 of its files changed since its creation")


def test_a_copy_of_the_suite_is_whole_or_its_edits_are_named(tmp_path: Path) -> None:
    source = tmp_path / "suite"
    for name in ("harness/a.py", "harness/b.py"):
        (source / name).parent.mkdir(exist_ok=True, parents=True)
        (source / name).write_text(name)
    suite = read_suite(source)
    suite.put(tmp_path / "copy")
    assert suite.find_edits(tmp_path / "copy") == ()
    (tmp_path / "copy" / "harness" / "a.py").unlink()
    (tmp_path / "copy" / "harness" / "c.py").write_text("new")
    assert suite.find_edits(tmp_path / "copy") == ("harness/a.py", "harness/c.py")
    assert suite.find_edits(tmp_path / "gone") == ("harness/a.py", "harness/b.py")


def test_no_expectation_excuses_an_edit() -> None:
    edited = invalidate(make_result(), ("harness/cell/start.py",))
    known = [Expectation(status="failed", reason="known"), Expectation(check="*", reason="known")]
    plan = plan_run(make_planned("b", cases=CASES[:1]), make_planned(), expectations=known[:1])
    verdict, sentence = told(plan, make_result("b", cases=make_result().cases[:1]), edited)
    assert (verdict, "a" in sentence) == ("regressed", True)


def test_bytecode_beside_the_subject_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bytecode has the time and the size of its source, so that an ordinary import believes it."""
    source = tmp_path / "planted_subject.py"
    source.write_text("ANSWER = 1")
    lie = tmp_path / "lie.py"
    lie.write_text("ANSWER = 2")
    code = compile("ANSWER = 2", str(source), "exec")
    status = source.stat()
    bytecode = Path(importlib.util.cache_from_source(str(source)))
    bytecode.parent.mkdir()
    pack = importlib.import_module("importlib._bootstrap_external")._code_to_timestamp_pyc
    bytecode.write_bytes(pack(code, int(status.st_mtime), status.st_size))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.import_module("planted_subject").ANSWER == 2
    monkeypatch.delitem(sys.modules, "planted_subject")
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    read_sources_only([str(tmp_path)])
    assert importlib.import_module("planted_subject").ANSWER == 1
    monkeypatch.delitem(sys.modules, "planted_subject")


def test_what_a_matrix_says_that_a_service_reads_is_looked_at_and_part_of_the_key(
    lab: Lab, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "size").write_text("small")
    inputs = replace(lab.material, reads=(tmp_path / "config",))
    model = ObtainedModel(inputs.model_dir, "m")
    before, shared = identify_inputs(inputs, model), SharedFiles.of(inputs)
    assert shared.find_edits() == ()
    (tmp_path / "config" / "size").write_text("large")
    assert shared.find_edits() == (str(tmp_path / "config" / "size"),)
    after = identify_inputs(inputs, model)
    assert {name for name in after if after[name] != before[name]} == {"reads"}
    assert "reads" not in identify_inputs(replace(inputs, reads=()), model)  # keys of before stay valid
