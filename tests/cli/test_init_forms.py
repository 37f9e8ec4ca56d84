"""The command ``init`` for services of other forms: of one text, of lists, and with queries apart."""

from __future__ import annotations

import pytest
from support.init_projects import NORM, SERVICE, Project, project_fixture, settings_fixture  # noqa: F401 - fixtures

from harness.matrix.read import read_matrix

LISTED = SERVICE.replace("dtype=np.float32)", "dtype=np.float32).tolist()")


def test_a_service_that_returns_lists_is_taken_with_what_that_costs(project: Project) -> None:
    project.put(**{"search/vectors": LISTED})
    code, said, error = project.init("--forge", "none")
    assert (code, error) == (0, "")
    lines = " ".join(said.split())
    assert "returns 3 x 2, list of lists of floats, norms 13.34 to 44.1" in lines
    assert 'lists carry no dtype, so the question "Dtype and zero rows kept?" will be answered no' in lines
    assert "norms 1 after search.norm:to_unit, float64" in lines
    assert (
        read_matrix(project.folder / "matrices" / "service.toml").subject.normalizer == "search.norm:to_unit"
    )
    assert max(map(len, said.splitlines())) < 80
    code, said, _ = project.init("--forge", "none", "--force", "--normalizer", "none")
    assert (code, "the plain NumPy formula is under test" in " ".join(said.split())) == (0, True)


@pytest.mark.parametrize(
    ("change", "after", "said"),
    [
        (
            "    m.shape\n    return m",
            "",
            (
                "cannot normalize a list of lists of floats: AttributeError: 'list' object has no attribute "
                "'shape' (norm.py, line 5); correct it, or name another one with --normalizer MODULE:NAME"
            ),
        ),
        (
            "    units = m",
            "    return units.tolist()\n",
            "the result is a list of list of float, but should be a NumPy array (n, d)",
        ),
    ],
)
def test_a_normalizer_that_takes_no_lists_is_told(
    project: Project, change: str, after: str, said: str
) -> None:
    project.put(**{"search/vectors": LISTED, "search/norm": NORM.replace("    return m", change) + after})
    code, _, error = project.init("--forge", "none")
    assert (code, said in error) == (2, True), error


BOTH = """
import numpy as np

class Embeddings:
    def __init__(self, model_dir: str): ...

    def compiled(self):
        import openvino

    def embed_documents(self, texts: list[str]):
        assert isinstance(texts, list)
        return np.array([[len(text), 3.0] for text in texts], dtype=np.float32)

    def embed_query(self, text):
        return np.array([len(text), 4.0], dtype=np.float32)
"""
QUERY, DOCUMENT = "harness_service:make_embed_query", "harness_service:make_embed_documents"


def test_a_service_with_queries_gets_both_functions(project: Project) -> None:
    project.put(**{"search/vectors": BOTH})
    code, said, error = project.init("--forge", "none")
    assert (code, error) == (0, "")
    lines = " ".join(said.split())
    assert "documents search.vectors:Embeddings.embed_documents (runs a model on OpenVINO, takes" in lines
    assert "queries search.vectors:Embeddings.embed_query normalizer" in lines
    assert "returns 3 x 2, float32, norms 13.34 to 44.1 queries: 3 x 2, float32, norms 13.6 to 44.18" in lines
    assert "it takes one query, so the adapter calls it once per query" in lines
    assert "norms 1 after search.norm:to_unit, which the adapter calls for both" in lines
    subject = read_matrix(project.folder / "matrices" / "service.toml").subject
    assert (subject.query, subject.document, subject.normalized) == (QUERY, DOCUMENT, True)
    assert (subject.batch, subject.final) == (None, DOCUMENT)
    assert max(map(len, said.splitlines())) < 80
    assert project.init("--forge", "none", "--force", "--normalizer", "none")[0] == 0
    assert read_matrix(project.folder / "matrices" / "service.toml").subject.normalized is False


def test_what_both_functions_normalize_is_not_normalized_again(project: Project) -> None:
    units = BOTH.replace("[len(text), 3.0]", "[0.6, 0.8]").replace("[len(text), 4.0]", "[0.0, 1.0]")
    project.put(**{"search/vectors": units})
    code, said, _ = project.init("--forge", "none")
    assert code == 0
    lines = " ".join(said.split())
    assert "so both functions are judged as a whole, without search.norm:to_unit" in lines
    assert "to_unit" not in (project.folder / "matrices" / "harness_service.py").read_text(encoding="utf-8")
    project.put(**{"search/vectors": units.replace("[0.0, 1.0]", "[0.0, 1.1]")})  # of queries alone
    assert project.init("--forge", "none", "--force")[0] == 0
    assert "to_unit" in (project.folder / "matrices" / "harness_service.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "len(text), 4.0]",
            "text.size, 4.0]",
            "AttributeError: 'str' object has no attribute 'size' (vectors.py, line 15)",
        ),
        ("len(text), 4.0]", "1.0, 2.0, 3.0]", "the vectors have 3 numbers, those of documents 2"),
    ],
)
def test_queries_that_fail_are_left_out_with_one_sentence(
    project: Project, before: str, after: str, said: str
) -> None:
    project.put(**{"search/vectors": BOTH.replace(before, after)})
    code, out, error = project.init("--forge", "none")
    assert (code, error) == (0, "")
    assert (
        "note: search.vectors:Embeddings.embed_query is left out, so documents alone are judged: "
        f"it cannot embed three queries: {said}"
    ) in " ".join(out.split())
    subject = read_matrix(project.folder / "matrices" / "service.toml").subject
    assert (subject.query, subject.embedder) == (None, "harness_service:make_Embeddings")


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (("--query", "none"), None),
        (("--embedder", "search.vectors:Embeddings.embed_documents"), None),
        (("--embedder", "search.vectors:Embeddings"), QUERY),
        (("--query", "search.vectors:Embeddings.embed_documents"), DOCUMENT),
    ],
)
def test_a_name_on_the_command_line_wins(
    project: Project, arguments: tuple[str, ...], query: str | None
) -> None:
    project.put(**{"search/vectors": BOTH})
    assert project.init("--forge", "none", *arguments)[0] == 0
    assert read_matrix(project.folder / "matrices" / "service.toml").subject.query == query


def test_a_query_of_something_else_is_refused(project: Project) -> None:
    project.put(**{"search/vectors": BOTH, "other": "def embed_query(query): ...\n"})
    code, _, error = project.init("--forge", "none", "--query", "other:embed_query")
    assert code == 2
    assert (
        "--query other:embed_query: the embedder is search.vectors:Embeddings; name a method of it, such as "
        "search.vectors:Embeddings.embed_query, or none"
    ) in error


EACH = """
import numpy as np

def compiled():
    import openvino

def embed(text{}):
    if not isinstance(text, str):
        raise TypeError("a text, please")
    return np.array([len(text), 3.0], dtype=np.float32)
"""


@pytest.mark.parametrize("kind", [": str", ""])
def test_a_service_of_one_text_is_called_once_per_text(project: Project, kind: str) -> None:
    norm = "import numpy as np\ndef to_unit(v):\n    return v / np.linalg.norm(v)\n"
    project.put(**{"search/vectors": EACH.format(kind), "search/norm": norm})
    code, said, error = project.init("--forge", "none")
    assert (code, error) == (0, "")
    lines = " ".join(said.split())
    assert "returns 3 x 2, float32, norms 13.34 to 44.1" in lines
    assert "it takes one text, so the adapter calls it once per text; batch = 1" in lines
    assert "norms 1 after harness_service:normalize_each, float32" in lines
    assert ("note: it takes no list of texts, so it is called once per text" in lines) is (not kind)
    subject = read_matrix(project.folder / "matrices" / "service.toml").subject
    assert (subject.embedder, subject.batch) == ("harness_service:make_embed", 1)


def test_a_service_that_fails_in_both_forms_is_told_with_the_first(project: Project) -> None:
    broken = EACH.format("").replace('raise TypeError("a text, please")', "return texts")
    project.put(**{"search/vectors": broken.replace("len(text)", "text.size")})
    code, _, error = project.init("--forge", "none")
    assert (code, (project.folder / "matrices").exists()) == (2, False)
    assert "search.vectors:embed: cannot embed three texts: NameError: name 'texts' is not defined" in error
