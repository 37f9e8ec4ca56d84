"""The canary: made from the vectors of a run, checked by the file that is written beside it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from support.runs import make_case, make_plan, make_planned, make_result

from harness.cell.corpus import Sentence
from harness.cell.recorded import Recorded
from harness.cli.publishing import write_canary
from harness.errors import UsageError
from harness.records import Observation, Service
from harness.runs.canary import TEXTS, choose_texts
from harness.runs.folder import RunFolder

KINDS = ("short", "long", "emoji")
SENTENCES = tuple(Sentence(f"text {number} \u00fc", KINDS[number % 3]) for number in range(20))
ROWS = np.random.RandomState(5).standard_normal((20, 8))


def make_run(runs: Path, dtype: str = "float32", *, recorded: bool = True) -> Path:
    """A run of one cell with vectors, whose model has weights of a known digest."""
    plan = make_plan(make_planned("a", cases=("gold.recorded",), baseline=True))
    tolerances = {"before.float32": 1e-5, "before.float16": 1.3e-3}
    plan = msgspec.structs.replace(
        plan, tolerances=tolerances, service=Service(embedder="s:E", normalizer="s:n", model="m==1")
    )
    folder = RunFolder.create(runs, plan)
    seen = Observation(value=20, unit="texts", facts={"weights": WEIGHTS})
    case = make_case("gold.recorded", observation=seen)
    facts = {"version.numpy": "2.4.6", "version.torch": "2.13.0"}
    folder.write_result(make_result("a", cases=[case], facts=facts))
    if recorded:
        Recorded(SENTENCES, ROWS.astype(dtype)).write(folder.cell("a") / "vectors.npz")
    folder.finish()
    return folder.path


WEIGHTS = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"""sha256 of b"hello"."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_canary(make_run(tmp_path / "runs"), tmp_path / "out")
    return tmp_path / "out"


def load_check(out: Path) -> ModuleType:
    """The written file as a module of its own, as a service imports it."""
    found = importlib.util.spec_from_file_location("check_canary", out / "check_canary.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def embed(texts: list[str], change: Any = lambda rows: rows, dtype: str = "float32") -> Any:
    known = {each.text: row for each, row in zip(SENTENCES, ROWS, strict=True)}
    return change(np.array([known[text] for text in texts], dtype))


def test_the_service_passes_its_own_canary(out: Path) -> None:
    check = load_check(out).check
    assert check(embed, out / "canary.json") == 0.0
    rounded = check(lambda texts: embed(texts, lambda rows: rows * np.float32(1 + 1e-6)), out / "canary.json")
    assert 0 < rounded < 1e-5


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_dtype_is_kept(dtype: str, tmp_path: Path) -> None:
    write_canary(make_run(tmp_path / "runs", dtype), tmp_path / "out")
    content = json.loads((tmp_path / "out" / "canary.json").read_text(encoding="utf-8"))
    assert content["tolerance"] == (1.3e-3 if dtype == "float16" else 1e-5)
    check = load_check(tmp_path / "out").check
    assert check(lambda texts: embed(texts, dtype=dtype), tmp_path / "out" / "canary.json") == 0.0


def test_the_file_tells_where_it_comes_from(out: Path) -> None:
    content = json.loads((out / "canary.json").read_text(encoding="utf-8"))
    named = {
        name: content[name] for name in ("schema", "run", "cell", "model", "weights", "versions", "dtype")
    }
    assert named == {
        "schema": 1,
        "run": "run-1",
        "cell": "a",
        "model": "m==1",
        "weights": WEIGHTS,
        "versions": {"numpy": "2.4.6"},
        "dtype": "<f4",
    }
    assert len(content["texts"]) == len(content["vectors"]) == TEXTS


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda rows: rows * np.float32(1.001),
            "is 0.001 from that of the canary, but should be at most 1e-05",
        ),
        (lambda rows: rows[::-1], "from that of the canary"),
        (lambda rows: np.where(rows > 2, np.nan, rows).astype("float32"), "is inf from that of the canary"),
        (lambda rows: rows.astype("float64"), "returns float64 (16, 8), but should return float32 (16, 8)"),
        (lambda rows: rows[:, :4], "returns float32 (16, 4), but should return float32 (16, 8)"),
        (lambda rows: rows.tolist(), "returns float64 (16, 8), but should return float32 (16, 8)"),
    ],
)
def test_a_changed_service_is_told(change: Any, told: str, out: Path) -> None:
    module = load_check(out)
    with pytest.raises(module.CanaryError) as error:
        module.check(lambda texts: embed(texts, change), out / "canary.json")
    assert told in str(error.value)


def test_other_weights_are_told(out: Path, tmp_path: Path) -> None:
    module = load_check(out)
    model = tmp_path / "model"
    (model / "0_Transformer").mkdir(parents=True)
    (model / "0_Transformer" / "model.safetensors").write_bytes(b"hello")
    assert module.check(embed, out / "canary.json", model) == 0.0
    (model / "0_Transformer" / "model.safetensors").write_bytes(b"other")
    with pytest.raises(module.CanaryError, match="other weights than those of the canary"):
        module.check(embed, out / "canary.json", model)
    with pytest.raises(module.CanaryError, match="the weights cannot be compared"):
        module.check(embed, out / "canary.json", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"schema": 2, "digest": ""}', "schema 2, but this file reads 1"),
        ('{"schema": 1, "digest": ""}', "does not match its digest"),
    ],
)
def test_a_damaged_canary_is_told(content: str, told: str, out: Path) -> None:
    module = load_check(out)
    (out / "canary.json").write_text(content, encoding="utf-8")
    with pytest.raises(module.CanaryError, match=told):
        module.check(embed, out / "canary.json")


def test_writing_again_replaces_own_files_only(out: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run-1"
    before = [path.read_bytes() for path in sorted(out.iterdir())]
    write_canary(run, out)
    assert [path.read_bytes() for path in sorted(out.iterdir())] == before
    for name in ("canary.json", "check_canary.py"):
        (out / name).write_text("mine", encoding="utf-8")
        with pytest.raises(UsageError, match=f"{name}: not written by `harness canary`; move it"):
            write_canary(run, out)
        assert (out / name).read_text(encoding="utf-8") == "mine"
        (out / name).unlink()


def test_a_cell_without_vectors_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", recorded=False)
    with pytest.raises(UsageError, match="the cell has no vectors; run the sweep again with this version"):
        write_canary(run, tmp_path / "out")
    with pytest.raises(UsageError, match="--cell b: the run has no such cell; it has a"):
        write_canary(run, tmp_path / "out", "b")
    assert not (tmp_path / "out").exists()


def test_every_kind_of_text_is_chosen_first() -> None:
    many = [Sentence(f"{number}", "same") for number in range(30)] + [Sentence("odd", "other")]
    assert choose_texts(many) == [*range(15), 30]
    assert choose_texts(many[:3]) == [0, 1, 2]
