"""Services with one function for queries and one for documents: how both are found, called and tried."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support.adapters import build, find

from harness.init.candidates import best_of, find_named, find_normalizers
from harness.init.source import read_modules
from harness.init.subject_form import complete_form, list_forms

LANGCHAIN = """
import openvino
class Embeddings:
    def __init__(self, model_dir: str): self.core = openvino.Core()
    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...
    def embed_query(self, text: str) -> list[float]: ...
"""
LLAMA_INDEX = """
class Embedding:
    def __init__(self, model_dir: str): ...
    def _get_query_embedding(self, query: str) -> list[float]: ...
    def _get_text_embedding(self, text: str) -> list[float]: ...
    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]: ...
"""
ENCODER = """
from pathlib import Path
class Encoder:
    def __init__(self, folder: Path): ...
    def encode(self, sentences): ...
    def encode_query(self, sentences, batch_size=32): ...
    def encode_document(self, sentences, batch_size=32): ...
"""
FUNCTIONS = """
def embed_queries(queries): ...
def embed_passages(passages): ...
"""
FACTORY = """
class Both:
    def __init__(self, model, tokenizer): ...
    def encode_query(self, query): ...
    def encode_documents(self, documents): ...
def load_embeddings(model_dir: str) -> Both: return Both(model_dir, None)
"""


@pytest.mark.parametrize(
    ("text", "document", "query", "ways"),
    [
        (LANGCHAIN, "svc:Embeddings/embed_documents", "svc:Embeddings.embed_query", [(False, True)]),
        (
            LLAMA_INDEX,
            "svc:Embedding/_get_text_embeddings",
            "svc:Embedding._get_query_embedding",
            [(False, True)],
        ),
        (ENCODER, "svc:Encoder/encode_document", "svc:Encoder.encode_query", [(False, False)]),
        (FUNCTIONS, "svc:embed_passages/", "svc:embed_queries", [(False, False)]),
        (
            FACTORY,
            "svc:load_embeddings/encode_documents",
            "svc:load_embeddings.encode_query",
            [(False, True)],
        ),
    ],
)
def test_both_functions_are_found(
    tmp_path: Path, text: str, document: str, query: str, ways: list[tuple[bool, bool]]
) -> None:
    found = [each for each in find(tmp_path, svc=text) if not each.fault]
    (best,) = found
    assert (f"{best.dotted}/{best.method}", best.query_dotted, best.note) == (document, query, "")
    forms = list_forms(best, None, "mine")
    assert [(form.each, form.query_each) for form in forms if form.query] == ways
    assert not forms[-1].query  # documents alone, where queries fail
    for form in forms:
        compile(form.adapter, "adapter", "exec")


@pytest.mark.parametrize(
    "text",
    [
        LANGCHAIN.replace("embed_query", "embed_image"),
        LANGCHAIN.replace("embed_documents", "embed"),
        "def embed_query(query): ...\n",
        "def embed(texts): ...\ndef embed_query(query): ...\n",
    ],
)
def test_one_function_for_all_texts_is_no_pair(tmp_path: Path, text: str) -> None:
    best = best_of(find(tmp_path, svc=text))
    assert best is not None
    assert (best.query, best.note) == ("", "")
    assert not any(form.query for form in list_forms(best, None, "mine"))


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("self, text: str", "self, text: str, language: str", "it takes 2 arguments, and the harness has"),
        ("    def embed_query", "    async def embed_query", "it is a coroutine"),
        ("text: str) -> list[float]", "text: str) -> str", "its type says that it returns no vectors"),
    ],
)
def test_queries_that_no_adapter_can_embed_are_left_out_with_the_reason(
    tmp_path: Path, before: str, after: str, fault: str
) -> None:
    (found,) = find(tmp_path, svc=LANGCHAIN.replace(before, after))
    assert (found.method, found.query) == ("embed_documents", "")
    assert found.note.startswith(
        f"svc:Embeddings.embed_query is left out, so documents alone are judged: {fault}"
    )


def test_a_method_that_is_named_is_alone(tmp_path: Path) -> None:
    find(tmp_path, svc=LANGCHAIN)
    modules = read_modules(tmp_path)
    named = find_named("svc:Embeddings.embed_documents", modules)
    assert named is not None
    assert (named.method, named.query) == ("embed_documents", "")
    whole = find_named("svc:Embeddings", modules)
    assert whole is not None
    assert whole.query == "embed_query"


def test_the_halves_of_a_pair_are_no_rivals(tmp_path: Path) -> None:
    single = "def embed_document(document): ...\n"
    found = find(tmp_path, svc=FUNCTIONS + single)
    assert [each.name for each in found] == ["embed_passages", "embed_document"]


class Service:
    """As ``LANGCHAIN``, with counted instances; documents and queries have vectors of their own."""

    made = 0

    def __init__(self, _: str) -> None:
        Service.made += 1

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        assert isinstance(texts, list)
        return [[float(len(text)), 0.0] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        assert isinstance(text, str)
        return [0.0, float(len(text))]


def make_module(name: str, **members: object) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(members)
    return module


def test_the_adapter_makes_the_service_once_and_calls_both(tmp_path: Path) -> None:
    (found,) = find(tmp_path, svc=LANGCHAIN)
    form = list_forms(found, None, "mine")[0]
    Service.made = 0
    made = build(form, svc=make_module("svc", Embeddings=Service))
    query, document = made.make_embed_query("model"), made.make_embed_documents("model")
    assert Service.made == 1
    assert (document(["ab", "c"]), document([])) == ([[2.0, 0.0], [1.0, 0.0]], [])
    assert (query(["ab", "c"]), query([])) == ([[0.0, 2.0], [0.0, 1.0]], [])
    keys = {"query": "harness_mine:make_embed_query", "document": "harness_mine:make_embed_documents"}
    assert complete_form(form, normalized=True).keys() == keys
    assert complete_form(form, normalized=False).keys() == {**keys, "normalized": False}


@pytest.mark.parametrize("body", ["v / np.linalg.norm(v)", "v / np.linalg.norm(v, axis=-1, keepdims=True)"])
def test_what_does_not_normalize_is_normalized_for_both(tmp_path: Path, body: str) -> None:
    text = f"import numpy as np\ndef to_unit(v): return {body}\n"
    (found,) = find(tmp_path, svc=LANGCHAIN, norm=text)
    (normalizer,) = find_normalizers(read_modules(tmp_path))
    form = list_forms(found, normalizer, "mine")[0]
    assert complete_form(form, normalized=True).adapter == form.adapter
    assert "to_unit(embed" not in form.adapter
    done = complete_form(form, normalized=False)
    assert set(done.keys()) == {"query", "document"}
    module = make_module("norm")
    exec(text, vars(module))  # noqa: S102 - from above
    made = build(done, svc=make_module("svc", Embeddings=Service), norm=module)
    np.testing.assert_allclose(made.make_embed_documents("model")(["ab", "c"]), [[1, 0], [1, 0]])
    np.testing.assert_allclose(made.make_embed_query("model")(["ab", "c"]), [[0, 1], [0, 1]])


def test_functions_need_no_service(tmp_path: Path) -> None:
    (found,) = find(tmp_path, svc=FUNCTIONS)
    form = list_forms(found, None, "mine")[0]
    made = build(form, svc=make_module("svc", embed_queries=list, embed_passages=tuple))
    assert (made.make_embed_queries("m"), made.make_embed_passages("m")) == (list, tuple)
