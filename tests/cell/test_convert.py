"""What a probe process hides and needs, where its memory is read, and the model that is converted for it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.cell.convert import convert
from harness.cell.interface import DEFAULT_EMBEDDER, CellSpec
from harness.cell.probe import Probe, make_embedder

ROOT = Path(__file__).parents[2]
NORMALIZE = "normalize.manual.float32.1"
EMBED = "embed.openvino.float32.1"
SPEC = CellSpec("x", ("latency",), {}, "", "", scenarios=(NORMALIZE,))
FOREIGN = replace(SPEC, embedder="team:Embedder", scenarios=(EMBED,))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        (sys.executable, *arguments), env=env, capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.mark.parametrize(
    ("spec", "modules"),
    [
        (SPEC, ("numpy", "harness.cell.normalizers:manual")),
        (replace(SPEC, embedder="team:Embedder"), ("numpy", "harness.cell.normalizers:manual")),
        (
            replace(SPEC, scenarios=(EMBED,)),
            ("numpy", "openvino", DEFAULT_EMBEDDER, "harness.cell.normalizers:manual"),
        ),
        (
            replace(FOREIGN, normalizer="team:unit", scenarios=(EMBED, "normalize.stable.float32.1")),
            ("numpy", "openvino", "team:Embedder", "harness.cell.normalizers:stable", "team:unit"),
        ),
        (replace(SPEC, scenarios=("normalize.reference.float32.1", "nothing")), ("numpy",)),
    ],
)
def test_modules_are_those_of_the_scenarios(spec: CellSpec, modules: tuple[str, ...]) -> None:
    assert Probe(spec).modules() == modules


HIDING = """
import importlib.util, sys
sys.path.insert(0, sys.argv[1])
from harness.cell.probe import imported, torch_hidden

def ask():
    found = importlib.util.find_spec("torch") is not None
    try:
        import torch
        return found, "imported"
    except ModuleNotFoundError as error:
        return found, error.name

if sys.argv[2] == "there":
    import torch
with torch_hidden():
    print(*ask(), imported() or "-")
print(*ask(), imported())
"""


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("hidden", "False torch -\nTrue imported torch\n"),
        ("there", "True imported torch\nTrue imported torch\n"),  # the service's own code had it imported
    ],
)
def test_hidden_torch_is_a_package_that_is_not_there_and_comes_back(
    tmp_path: Path, mode: str, seen: str
) -> None:
    (tmp_path / "torch.py").touch()
    assert run("-c", HIDING, str(tmp_path), mode).stdout == seen


ASKING = """
import importlib.util
def make(folder, **options):
    seen = [importlib.util.find_spec("torch") is not None]
    def embed(texts):
        seen.append(importlib.util.find_spec("torch") is not None)
        return seen
    return embed
"""


def test_torch_is_hidden_while_the_shipped_embedder_is_made_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").touch()
    (tmp_path / "probed_asking.py").write_text(ASKING, "utf-8")
    (tmp_path / "openvino.py").write_text("class Core:\n    read_model = staticmethod(str)\n", "utf-8")
    (tmp_path / "openvino_model.xml").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        "harness.cell.probe.load_dotted", lambda _: importlib.import_module("probed_asking").make
    )
    assert make_embedder(replace(SPEC, converted=str(tmp_path)))(["text"]) == [False, False, True]


def test_a_converted_model_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cell.probe.load_dotted", lambda _: None)  # openvino is not installed here
    with pytest.raises(FileNotFoundError, match=r"no converted model .*openvino_model\.xml"):
        make_embedder(replace(SPEC, converted=str(tmp_path)))


def test_another_embedder_is_made_by_its_own_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "probed_team.py").write_text(
        "def make(folder): return lambda texts: [folder, *texts]\n", "utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec = replace(SPEC, embedder="probed_team:make", model_dir="m", converted=str(tmp_path))
    assert make_embedder(spec)(["text"]) == ["m", "text"]


PEAKS = """
import os, sys
from harness.cell.facts import high_water_bytes, peak_bytes
if len(sys.argv) == 1:
    whole = bytearray(200 << 20)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], "again"])
print(high_water_bytes() >> 20 < 100, peak_bytes() >> 20 >= 200)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel tells one peak only")
def test_the_peak_is_that_of_this_program_and_not_of_its_starter() -> None:
    assert run("-c", PEAKS).stdout == "True True\n"


# --- converting ---


def test_what_is_not_ours_is_not_converted(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    assert convert(FOREIGN, folder) == "nothing to convert: team:Embedder converts by itself"
    assert convert(FOREIGN, folder) == "nothing to convert, as before"
    assert [path.name for path in folder.parent.rglob("*")] == ["model", "none"]
    assert (folder / "none").read_bytes() == b""


def test_a_model_converted_before_stays(tmp_path: Path) -> None:
    (tmp_path / "openvino_model.xml").write_text("<net/>", "ascii")
    assert convert(SPEC, tmp_path) == "converted before"
    assert (tmp_path / "openvino_model.xml").read_text("ascii") == "<net/>"


def test_another_process_that_was_faster_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"

    def convert_slowly(_: CellSpec, made: Path) -> str:
        (made / "openvino_model.xml").write_text("late", "ascii")
        folder.mkdir()
        (folder / "openvino_model.xml").write_text("early", "ascii")
        return "converted"

    monkeypatch.setattr("harness.cell.convert._fill", convert_slowly)
    assert convert(SPEC, folder) == "converted before"
    assert (folder / "openvino_model.xml").read_text("ascii") == "early"
    assert list(tmp_path.iterdir()) == [folder]


class Model:
    """Stands in for a converted model, and for the embedder over it: what it embeds, shape (1, 2)."""

    def __init__(self, *_: object, model: Model | None = None, weights: float = 1.0, **__: object) -> None:
        self.weights: float = model.weights if model is not None else weights
        self.model, self.head = self, None

    def __call__(self, texts: list[str]) -> np.ndarray:
        return np.array([[self.weights, len(texts) / 100]], dtype=np.float32)


@pytest.fixture
def openvino(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An openvino that writes weights as text, rounded where they are compressed."""

    def save_model(model: Model, path: str, *, compress_to_fp16: bool = True) -> None:
        Path(path).write_text(str(np.float16(model.weights) if compress_to_fp16 else model.weights), "ascii")

    def read_model(path: Path) -> Model:
        return Model(weights=float(path.read_text("ascii")))

    fake = SimpleNamespace(save_model=save_model, Core=lambda: SimpleNamespace(read_model=read_model))
    monkeypatch.setitem(sys.modules, "openvino", fake)
    embedder = SimpleNamespace(OpenVinoEmbedder=partial(Model, weights=0.1))
    monkeypatch.setitem(sys.modules, "harness.cell.embedder", embedder)
    return fake


@pytest.mark.usefixtures("openvino")
def test_a_model_is_converted_with_its_weights_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    assert convert(SPEC, folder) == "converted"
    assert {path.name: path.read_text("ascii") for path in folder.iterdir()} == {"openvino_model.xml": "0.1"}


def test_a_model_that_embeds_otherwise_when_it_is_read_back_is_refused(
    tmp_path: Path, openvino: SimpleNamespace
) -> None:
    def compress(model: Model, path: str, **_: object) -> None:
        Path(path).write_text(str(float(np.float16(model.weights))), "ascii")

    openvino.save_model = compress
    with pytest.raises(
        ValueError, match=r"the model read back gives other embeddings: 0\.00024 of the largest"
    ):
        convert(SPEC, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_as_such(tmp_path: Path, openvino: SimpleNamespace) -> None:
    def fill(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear")

    openvino.save_model = fill
    with pytest.raises(OSError, match=r"cannot be written to \(\d+ MiB are free there\): basic_ios::clear"):
        convert(SPEC, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_conversion_that_fails_leaves_nothing_and_one_line(tmp_path: Path) -> None:
    spec, folder = tmp_path / "spec.json", tmp_path / "model"
    replace(SPEC, workdir=str(tmp_path)).write(spec)
    done = run("-m", "harness.cell.convert", str(spec), str(folder))
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (1, "", [spec])
    assert done.stderr == "the model was not converted: ModuleNotFoundError: No module named 'openvino'\n"


def test_a_folder_that_holds_something_else_is_in_the_way(tmp_path: Path) -> None:
    spec, folder = tmp_path / "spec.json", tmp_path / "model"
    folder.mkdir()
    SPEC.write(spec)
    done = run("-m", "harness.cell.convert", str(spec), str(folder))
    assert done.returncode == 1
    assert done.stderr.endswith("model is in the way: it holds no converted model\n")
