"""What signatures say: whether a function takes texts, and which two embed queries and documents."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_TEXTS = re.compile(
    r"texts?|sentences?|documents?|docs|inputs?|passages?|strings|batch|queries", re.IGNORECASE
)
_ONE = re.compile(
    r"text|sentence|document|doc|input|passage|string|query|phrase|prompt|title|content|txt|s|t",
    re.IGNORECASE,
)
_STR = re.compile(r"(?:typing\.)?(?:str|str ?\| ?None|Optional\[str\])")
_VECTORS = re.compile(r"array|tensor|float|vector|embedding|matrix|any", re.IGNORECASE)
_NO_VECTORS = re.compile(r"\b(?:str|bytes|int|bool|None)\b")
_MANY = re.compile(r"(?:list|List|Sequence|Iterable|Collection|tuple|Tuple)\[.*\bstr\b")
FOLDER = re.compile(r"model|path|dir|folder|checkpoint", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Texts = Literal["", "one", "either", "many"]
"""What a parameter takes by its name and type: anything, one text, that or a list, or a list of texts."""


def count_required(node: Function, *, own: bool = False) -> int:
    """The number of required arguments; of a method without ``self``."""
    arguments = node.args
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults) - own
    return positional + sum(default is None for default in arguments.kw_defaults)


def read_texts(node: Function, *, own: bool = False) -> Texts:
    """What a function takes; a singular name without a type is that of a text, or of a list."""
    arguments = [*node.args.posonlyargs, *node.args.args][own:]
    if not arguments or count_required(node, own=own) > 1:
        return ""
    kind, name = _annotation(arguments[0]), arguments[0].arg
    if _MANY.search(kind):
        return "many"
    if _STR.fullmatch(kind):
        told = _ONE.fullmatch(name) or (node.returns and not FOLDER.search(name) and _says_vectors(node))
        return "one" if told and returns_vectors(node) else ""
    if name == "query" and returns_vectors(node):
        return "one"
    if not _TEXTS.fullmatch(name):
        return ""
    return "either" if _ONE.fullmatch(name) else "many"


def returns_vectors(node: Function) -> bool:
    """Whether the type of the result, if there is one, may be that of vectors; that of tokens is not."""
    kind = "" if node.returns is None else ast.unparse(node.returns)
    return bool(_VECTORS.search(kind)) or not _NO_VECTORS.search(kind)


def _says_vectors(node: Function) -> bool:
    return node.returns is not None and bool(_VECTORS.search(ast.unparse(node.returns)))


def read_folder(arguments: Sequence[ast.arg]) -> Literal["", "str", "Path"]:
    """The type of a first parameter that takes the model folder; empty if it takes something else."""
    kind = _annotation(arguments[0]) if arguments else ""
    if not arguments or _ONE.fullmatch(arguments[0].arg):
        return ""
    if not (FOLDER.search(arguments[0].arg) or re.search(r"\b(?:str|Path|PathLike)\b", kind)):
        return ""
    return "Path" if "Path" in kind and "str" not in kind else "str"


def _annotation(argument: ast.arg) -> str:
    if argument.annotation is None:
        return ""
    if isinstance(argument.annotation, ast.Constant):
        return str(argument.annotation.value)
    return ast.unparse(argument.annotation)


# Services that embed queries in another way than documents, found by the names of their two functions

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
        return fault, _read_named(name, node, own=own) == "one", name.startswith("_")

    document, query = min(documents, key=weigh), min(queries, key=weigh)
    return Pair(
        document=document,
        query=query,
        document_texts=_read_named(document, functions[document], own=own),
        query_texts=_read_named(query, functions[query], own=own),
        fault=_find_fault(functions[query], own=own),
    )


def _read_named(name: str, node: Function, *, own: bool) -> Texts:
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
