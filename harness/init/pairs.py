"""Find the two functions of a service that embeds queries in another way than documents, by their names."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.init.signatures import Function, Texts, count_required, read_texts, returns_vectors

_EMBED = r"_?(?:embed|encode|vectori[sz]e)_"
_QUERY = re.compile(rf"{_EMBED}(?:query|queries)|_?get_query_embeddings?")
_DOCUMENT = re.compile(
    rf"{_EMBED}(?:documents?|docs?|passages?|corpus)|_?get_(?:document|passage)_embeddings?(?:_batch)?"
)
_TEXT = re.compile(rf"{_EMBED}texts?|_?get_text_embeddings?(?:_batch)?")
"""Names as in LangChain, LlamaIndex and sentence-transformers; a function of texts beside one of queries is
that of documents."""


@dataclass(frozen=True)
class Pair:
    """The names of the functions for documents and for queries, and what each takes.

    ``fault`` is why queries cannot be embedded by the harness, which leaves the documents alone.
    """

    document: str
    query: str
    document_texts: Texts
    query_texts: Texts
    fault: str = ""


def find_pair(functions: Mapping[str, Function], *, own: bool) -> Pair | None:
    """The functions for queries and documents among functions, or among methods (``own``); None without both.

    Those of a list are preferred, then public ones.
    """
    documents = [name for name in functions if _DOCUMENT.fullmatch(name)]
    documents = documents or [name for name in functions if _TEXT.fullmatch(name)]
    documents = [name for name in documents if not _find_fault(functions[name], own=own)]
    queries = [name for name in functions if _QUERY.fullmatch(name)]
    if not documents or not queries:
        return None

    def weigh(name: str) -> tuple[bool, bool, bool]:
        node = functions[name]
        fault = bool(_find_fault(node, own=own))
        return fault, _read_texts(name, node, own=own) == "one", name.startswith("_")

    document, query = min(documents, key=weigh), min(queries, key=weigh)
    return Pair(
        document=document,
        query=query,
        document_texts=_read_texts(document, functions[document], own=own),
        query_texts=_read_texts(query, functions[query], own=own),
        fault=_find_fault(functions[query], own=own),
    )


def _read_texts(name: str, node: Function, *, own: bool) -> Texts:
    """What a function takes; where its parameter leaves that open, the number in its name decides."""
    found = read_texts(node, own=own)
    if found == "either" and not re.search(r"(?:s|ies|corpus|batch)\Z", name):
        return "one"
    return found


def _find_fault(node: Function, *, own: bool) -> str:
    needed = count_required(node, own=own)
    if isinstance(node, ast.AsyncFunctionDef):
        return "it is a coroutine"
    if needed != 1:
        return f"it takes {needed} arguments, and the harness has the texts only"
    return "" if returns_vectors(node) else "its type says that it returns no vectors"
