"""What is taken for the embedder and the normalizer of a project, and in which form it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.init.candidates import best_of, find_embedders, find_named, find_normalizers
from harness.init.source import foreign_names, read_modules
from harness.init.subject_form import complete_form, list_forms


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (f"{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


CALLED = """
import openvino as ov
class Embedder:
    def __init__(self, model_dir: str): self.model = ov.compile_model(model_dir)
    def __call__(self, texts: list[str]): ...
"""
ENCODER = """
from pathlib import Path
import openvino
class Encoder:
    def __init__(self, where: Path = Path("m"), batch=8): self.core = openvino.Core()
    def encode(self, sentences): return [self.one(text) for text in sentences]
    def one(self, text: str): ...
def helper(x): return x
"""
BARE = """
from optimum.intel import OVModelForFeatureExtraction
model = None
def embed(texts: list[str]):
    return model(texts)
"""
FACTORY = """
import openvino
def load_embedder(model_dir):
    core = openvino.Core()
    return lambda texts: core.compile_model(model_dir)(texts)
"""
NO_FOLDER = """
class TextEncoder:
    def embed_documents(self, docs): return self.run(docs, backend="openvino")
"""


@pytest.mark.parametrize(
    ("text", "embedder", "made"),
    [
        (CALLED, "svc:Embedder", ""),
        (FACTORY, "svc:load_embedder", ""),
        (ENCODER, "harness_mine:make_Encoder", "Encoder(Path(model_dir)).encode"),
        (BARE, "harness_mine:make_embed", "embed"),
        (NO_FOLDER, "harness_mine:make_TextEncoder", "TextEncoder().embed_documents"),
    ],
)
def test_a_service_of_another_form_gets_an_adapter(
    tmp_path: Path, text: str, embedder: str, made: str
) -> None:
    found = best_of(find_embedders(read_modules(write(tmp_path, svc=text))))
    assert found is not None
    form = list_forms(found, None, "mine")[0]
    assert form.keys() == {"embedder": embedder}
    assert complete_form(form, normalized=False).keys() == form.keys()
    assert complete_form(form, normalized=True).keys() == {"service": embedder}  # nothing normalizes again
    assert [line.strip() for line in form.adapter.splitlines() if "return" in line] == (
        [f"return {made}"] if made else []
    )
    compile(form.adapter, "adapter", "exec")


def test_what_runs_on_openvino_comes_before_what_calls_it(tmp_path: Path) -> None:
    api = "from svc import Encoder\ndef embed(texts: list[str]): return Encoder().encode(texts).tolist()\n"
    found = find_embedders(read_modules(write(tmp_path, api=api, svc=ENCODER)))
    assert [each.dotted for each in found] == ["svc:Encoder", "api:embed"]
    assert found[0].reasons == ("runs a model on OpenVINO", "takes a list of texts", "its name")


def test_two_that_are_equally_good_have_no_best(tmp_path: Path) -> None:
    modules = read_modules(write(tmp_path, one=CALLED, two=CALLED))
    assert best_of(find_embedders(modules)) is None
    assert [each.dotted for each in find_embedders(modules)] == ["one:Embedder", "two:Embedder"]


def test_what_cannot_be_made_has_a_fault(tmp_path: Path) -> None:
    text = CALLED.replace("model_dir: str", "config, tokenizer")
    (found,) = find_embedders(read_modules(write(tmp_path, svc=text)))
    assert found.fault == "Embedder() takes 2 arguments, and the harness has the model folder only"


def test_any_class_or_function_can_be_named(tmp_path: Path) -> None:
    modules = read_modules(write(tmp_path, svc=ENCODER))
    named = find_named("svc:Encoder.one", modules)
    assert named is not None
    assert "Encoder(Path(model_dir)).one" in list_forms(named, None, "mine")[0].adapter
    assert find_named("svc:helper", modules) is not None
    assert find_named("svc:Missing", modules) is None
    assert find_named("other:Encoder", modules) is None


def test_a_normalizer_computes_a_norm(tmp_path: Path) -> None:
    text = """
import numpy as np
def normalize_text(text): return text.strip().lower()
def l2_normalise(m): return m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-9)
def scaled_unit(m, factor): return m / np.sqrt((m * m).sum())
def embed_norm(x): return np.linalg.norm(x)
class Vectors:
    @staticmethod
    def to_unit(m): return m / (m ** 2).sum() ** 0.5
    def normalize(self): return np.linalg.norm(self.m)
"""
    found = find_normalizers(read_modules(write(tmp_path, svc=text)))
    assert [each.dotted for each in found] == ["svc:l2_normalise", "svc:Vectors.to_unit"]


@pytest.mark.parametrize(
    ("files", "name", "root"),
    [
        ({"pkg/__init__": "", "pkg/embed": "import pkg.other", "pkg/other": ""}, "pkg.embed", "."),
        ({"src/pkg/__init__": "", "src/pkg/embed": ""}, "pkg.embed", "src"),
        ({"app/embed": "import norm", "app/norm": ""}, "embed", "app"),
        ({"app/embed": "from app.norm import x", "app/norm": ""}, "app.embed", "."),
    ],
)
def test_a_module_is_imported_from_where_its_own_imports_are(
    tmp_path: Path, files: dict[str, str], name: str, root: str
) -> None:
    modules = read_modules(write(tmp_path, **files))
    (found,) = (each for each in modules if each.path.name == "embed.py")
    assert (found.name, found.root) == (name, tmp_path / root if root != "." else tmp_path)


def test_names_of_packages_are_found_through_the_modules_of_the_project(tmp_path: Path) -> None:
    files = {
        "pkg/__init__": "",
        "pkg/embed": "import os\nfrom . import cut\nfrom .deep import rest\nfrom pkg.last import x\n",
        "pkg/cut": "import tokenizers.models\n",
        "pkg/deep/__init__": "from ..never import *\n",
        "pkg/deep/rest": "from importlib.resources import files\nMODEL = files('tiny_model.data')\n",
        "pkg/never": "import regex\n",
        "pkg/last": "import cachetools\n",
        "pkg/unused": "import flask\n",
    }
    modules = read_modules(write(tmp_path, **files))
    (start,) = (each for each in modules if each.name == "pkg.embed")
    assert foreign_names(start, modules) == {"tokenizers", "tiny_model", "regex", "cachetools"}


def test_what_is_no_code_of_the_service_is_left_out(tmp_path: Path) -> None:
    files = {"tests/fakes": CALLED, "test_a": CALLED, "env/lib/x": CALLED, "broken": "def (", "a-b": CALLED}
    write(tmp_path, **files)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert read_modules(tmp_path) == ()
