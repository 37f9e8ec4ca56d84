"""Services of one text: how they are found, how they rank, and the adapter that calls them once per text."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support.adapters import build, find

from harness.init.candidates import best_of, find_named, find_normalizers
from harness.init.source import read_modules
from harness.init.subject_form import list_forms

ENCODER = "class Encoder:\n    def __init__(self, model_dir: str): ...\n    def {}: ...\n"


@pytest.mark.parametrize(
    ("text", "kind", "texts"),
    [
        ("def embed(text: str) -> np.ndarray: ...", "function", "one"),
        ("def encode_query(query): ...", "function", "one"),
        ("def embed(words: 'str') -> 'NDArray': ...", "function", "one"),
        ("def embed(text: Optional[str] = None): ...", "function", "one"),
        ("def embed(text): ...", "function", "either"),
        ("def embed(texts): ...", "function", "many"),
        ("def embed(text: str | list[str]): ...", "function", "many"),
        ("def embed(text: list[str]): ...", "function", "many"),
        ("def load_embedder(model: str) -> Encoder: ...", "factory", ""),
        ("def load_embedder(where: str): ...", "factory", ""),
        (ENCODER.format("encode(self, text: str)"), "class", "one"),
        (ENCODER.format("embed_query(self, text)"), "class", "one"),
        (ENCODER.format("encode(self, sentences)"), "class", "many"),
    ],
)
def test_what_a_function_takes(tmp_path: Path, text: str, kind: str, texts: str) -> None:
    (found,) = find(tmp_path, svc=text)
    assert (found.kind, found.texts) == (kind, texts)


@pytest.mark.parametrize(
    "text",
    [
        "def encode(text: str) -> bytes: ...",
        "def encode_text(text: str) -> list[int]: ...",
        "class Tokenizer:\n    def encode(self, text: str) -> list[int]: ...",
    ],
)
def test_what_returns_no_vectors_is_left_out(tmp_path: Path, text: str) -> None:
    assert find(tmp_path, svc=text) == []


ONE = "import openvino\ndef embed(text: str): return openvino.Core()\n"


def test_a_function_of_lists_comes_first(tmp_path: Path) -> None:
    """It is what the service calls, also where only the function of one text runs the model."""
    batch = "def embed_batch(texts): return [embed(text) for text in texts]\n"
    both = "class Encoder:\n    def embed_query(self, text): ...\n    def embed_documents(self, docs): ...\n"
    found = find(tmp_path, svc=ONE + batch, plain=both)
    assert [(each.name, each.method) for each in found] == [
        ("embed_batch", ""),
        ("Encoder", "embed_documents"),
        ("embed", ""),
    ]
    assert found[-1].reasons == ("runs a model on OpenVINO", "takes one text", "its name")
    assert best_of(find(tmp_path, svc=ONE, plain="")) is not None


def make_service(row: object) -> ModuleType:
    """A service that returns the same memory for every text, as a model with shared outputs does."""
    module, memory = ModuleType("svc"), np.asarray(row)

    def embed(text: str) -> np.ndarray:
        assert isinstance(text, str)
        memory[...] = len(text)
        return memory

    module.embed = embed  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("row", [np.zeros(3, np.float32), np.zeros((1, 3), np.float16)])
def test_each_text_is_a_call_and_a_row(tmp_path: Path, row: np.ndarray) -> None:
    (found,) = find(tmp_path, svc=ONE)
    (form,) = list_forms(found, None, "mine")
    assert (form.keys(), form.each) == ({"embedder": "harness_mine:make_embed"}, True)
    embed = build(form, svc=make_service(row)).make_embed("model")
    vectors = embed(["a", "bcd"])
    assert vectors.tolist() == [[1, 1, 1], [3, 3, 3]]
    assert (vectors.dtype, embed([]).shape, embed([]).dtype) == (row.dtype, (0, 3), row.dtype)


@pytest.mark.parametrize("in_a_list", [False, True])
def test_lists_stay_lists(tmp_path: Path, *, in_a_list: bool) -> None:
    """As an array they would be float64, which the service does not return; one row may be in a list."""
    (found,) = find(tmp_path, svc="def embed(text: str) -> list[float]: ...")
    module = ModuleType("svc")

    def embed_one(text: str) -> list[object]:
        row: list[object] = [float(len(text)), 1.0]
        return [row] if in_a_list else row

    module.embed = embed_one  # type: ignore[attr-defined]
    embed = build(list_forms(found, None, "mine")[0], svc=module).make_embed("model")
    assert (embed(["a", "bcd"]), embed([])) == ([[1.0, 1.0], [3.0, 1.0]], [])


def test_a_method_of_one_text_is_called_so_if_it_is_named(tmp_path: Path) -> None:
    text = "from pathlib import Path\nclass Encoder:\n    def __init__(self, folder: Path): ...\n"
    find(tmp_path, svc=f"{text}    def encode(self, texts): ...\n    def one(self, text: str): ...\n")
    named = find_named("svc:Encoder.one", read_modules(tmp_path))
    assert named is not None
    (form,) = list_forms(named, None, "mine")
    assert "    return call_each(Encoder(Path(model_dir)).one)\n" in form.adapter
    imports = (
        "from copy import copy\nfrom pathlib import Path\n\nimport numpy as np\n\nfrom svc import Encoder\n"
    )
    assert f"\n\n{imports}\n" in form.adapter


def test_what_may_take_a_list_is_tried_with_one_first(tmp_path: Path) -> None:
    (found,) = find(tmp_path, svc="def embed(text): ...")
    assert [form.each for form in list_forms(found, None, "mine")] == [False, True]
    (found,) = find(tmp_path, svc=ENCODER.format("__call__(self, text)"))
    assert [form.embedder for form in list_forms(found, None, "mine")] == [
        "svc:Encoder",
        "harness_mine:make_Encoder",
    ]


@pytest.mark.parametrize(
    ("body", "alone"),
    [
        ("v / np.linalg.norm(v)", True),
        ("v / np.sqrt(v @ v)", True),
        ("v / np.linalg.norm(v, axis=-1, keepdims=True)", False),
        ("v / np.sqrt(np.einsum('ij,ij->i', v, v))[:, None]", False),
        ("np.stack([each / np.linalg.norm(each) for each in v])", False),
    ],
)
def test_a_normalizer_of_one_vector_is_called_once_per_row(tmp_path: Path, body: str, *, alone: bool) -> None:
    (found,) = find(tmp_path, svc=ONE, norm=f"import numpy as np\ndef to_unit(v): return {body}\n")
    (normalizer,) = find_normalizers(read_modules(tmp_path))
    (form,) = list_forms(found, normalizer, "mine")
    assert form.normalizer == ("harness_mine:normalize_each" if alone else "norm:to_unit")
    if alone:
        norm = ModuleType("norm")
        exec((tmp_path / "norm.py").read_text(encoding="utf-8"), norm.__dict__)  # noqa: S102 - from above
        made = build(form, svc=make_service(np.zeros(3)), norm=norm)
        rows = np.array([[3, 4], [0, 2]], np.float32)
        np.testing.assert_allclose(made.normalize_each(rows), [[0.6, 0.8], [0, 1]])
        assert made.normalize_each(rows[:0]).shape == (0, 2)


def test_one_module_is_imported_from_once(tmp_path: Path) -> None:
    text = f"{ONE}def a_unit(v): return v / (v @ v) ** 0.5\n"
    (found,) = find(tmp_path, svc=text)
    (normalizer,) = find_normalizers(read_modules(tmp_path))
    (form,) = list_forms(found, normalizer, "mine")
    assert [line for line in form.adapter.splitlines() if " svc " in line] == [
        "from svc import a_unit, embed"
    ]
