"""Find what may be the embedder and the normalizer of a service, by reading its code without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.init.signatures import (
    FOLDER,
    Function,
    Pair,
    Texts,
    count_required,
    find_pair,
    read_folder,
    read_texts,
    returns_vectors,
)
from harness.init.source import Module

TEXT_METHODS = (
    *("__call__", "encode", "embed", "embed_documents", "embed_texts", "encode_texts", "embed_batch"),
    *("encode_batch", "get_embeddings", "vectorize", "vectorise"),
)
"""Methods that embed texts, in the order in which one of several is chosen."""

ONE_METHODS = (
    *("embed_text", "encode_text", "vectorize_text", "embed_sentence", "encode_sentence", "embed_document"),
    *("encode_document", "embed_one", "encode_one", "embed_single", "encode_single", "get_embedding"),
    *("embed_query", "encode_query"),
)
"""Methods that embed one text, after those of ``TEXT_METHODS``."""

_EMBEDS = re.compile(r"embed|encod|vectori[sz]e|featuri[sz]e", re.IGNORECASE)
_MAKES = re.compile(r"(?:load|make|build|create|get|open|new)_?\w*(?:embed|encod|vectori)", re.IGNORECASE)
_NORMALIZES = re.compile(r"normali[sz]|unit|l2", re.IGNORECASE)
_OPENVINO = ("openvino", "optimum.intel")

Kind = Literal["class", "function", "factory"]


@dataclass(frozen=True)
class Candidate:
    """A class, a function or a factory that may be what is looked for.

    Attributes:
        module: where it is defined.
        name: its name in the module.
        line: of its definition.
        kind: a class, a function over texts or vectors, or a function that makes the embedder.
        method: the method that embeds texts, of a class or of what a factory makes; with queries, documents.
        query: the method, or the function beside it, that embeds queries; empty where these are no others.
        folder: the type of its parameter for the model folder, ``str`` or ``Path``; empty without one.
        texts: what the function or the method takes.
        query_texts: the same for queries.
        rank: how much speaks for it; the highest is the best.
        reasons: what speaks for it.
        fault: why the harness cannot make it; empty if it can.
        note: why its function for queries is left out; empty if there is none, or if it is not.
        per_vector: a normalizer of one vector (d,), not of an array (n, d).
    """

    module: Module
    name: str
    line: int
    kind: Kind
    method: str = ""
    folder: Literal["", "str", "Path"] = ""
    texts: Texts = ""
    rank: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    fault: str = ""
    per_vector: bool = False
    query: str = ""
    query_texts: Texts = ""
    note: str = ""

    @property
    def query_dotted(self) -> str:
        """The full name of what embeds queries; empty without one."""
        if not self.query:
            return ""
        return (
            f"{self.module.name}:{self.query}" if self.kind == "function" else f"{self.dotted}.{self.query}"
        )

    @property
    def dotted(self) -> str:
        """The name for an option, such as ``service.embed:Embedder``."""
        return f"{self.module.name}:{self.name}"


def find_embedders(modules: Iterable[Module]) -> list[Candidate]:
    """What may embed texts, the best first: what runs on OpenVINO, then what is called so.

    What takes one text comes last: a list function beside it is what the service calls.
    """
    found = [each for module in modules for each in _embedders_of(module)]
    return sorted(found, key=lambda each: each.rank, reverse=True)


def find_normalizers(modules: Iterable[Module]) -> list[Candidate]:
    """What may scale vectors to length one: functions of one argument that compute a norm."""
    found = []
    for module in modules:
        for name, node in _functions(module.tree):
            if _NORMALIZES.search(name) and count_required(node) == 1 and _takes_norm(node):
                reasons = ("its name", "computes the length of vectors")
                alone = not _works_on_rows(node)
                found.append(
                    Candidate(module, name, node.lineno, "function", per_vector=alone, reasons=reasons)
                )
    return found


def best_of(found: Sequence[Candidate]) -> Candidate | None:
    """The single best candidate; None if there is none, or if several are equally good."""
    if not found or (len(found) > 1 and found[0].rank == found[1].rank):
        return None
    return found[0]


def find_named(dotted: str, modules: Iterable[Module]) -> Candidate | None:
    """The class or function of this name, whatever speaks for it; None if the project has none."""
    name, _, inner = dotted.partition(":")
    for module in modules:
        if module.name != name:
            continue
        first, _, method = inner.partition(".")
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == first:
                return _class_candidate(node, module, method)
        pair = find_pair(_list_public(module), own=False)
        for each, function in _functions(module.tree):
            if each == inner:
                found = _function_candidate(each, function, module)
                return _add_pair(found, pair) if pair and pair.document == each else found
    return None


def _embedders_of(module: Module) -> Iterator[Candidate]:
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found = _class_candidate(node, module)
            if found.method and (_EMBEDS.search(node.name) or found.method != "__call__" or found.rank[2]):
                yield found
    public = _list_public(module)
    pair = find_pair(public, own=False)
    for name, function in public.items():
        if isinstance(function, ast.AsyncFunctionDef) or (pair and pair.query == name):
            continue
        found = _function_candidate(name, function, module)
        if pair and pair.document == name:
            yield _add_pair(found, pair)
        elif _EMBEDS.search(name) and (found.kind == "factory" or found.texts):
            yield found


def _list_public(module: Module) -> dict[str, Function]:
    functions = dict(_functions(module.tree))
    return {name: node for name, node in functions.items() if not ("." in name or name.startswith("_"))}


def _add_pair(found: Candidate, pair: Pair) -> Candidate:
    """The candidate with its function for queries, or with the reason why that is left out."""
    if not pair.fault:
        return replace(found, query=pair.query, query_texts=pair.query_texts)
    left = replace(found, query=pair.query).query_dotted
    return replace(found, note=f"{left} is left out, so documents alone are judged: {pair.fault}")


def _class_candidate(node: ast.ClassDef, module: Module, method: str = "") -> Candidate:
    """A class by its method for texts, or by two for documents and queries if no ``method`` is named."""
    methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    pair = None if method else find_pair(_list_methods(node), own=True)
    chosen = method or (pair.document if pair else _choose_method(methods))
    texts = read_texts(methods[chosen], own=True) if chosen in methods else ""
    if chosen in ONE_METHODS and texts == "either":
        texts = "one"
    rank, reasons = _weigh(node, module, node.name, texts)
    folder = _folder_of_class(node, methods)
    needed = count_required(methods["__init__"], own=True) if "__init__" in methods else 0
    fault = ""
    if needed > (1 if folder else 0):
        fault = f"{node.name}() takes {needed} arguments, and the harness has the model folder only"
    elif not chosen:
        fault = f"{node.name} has no method of one argument such as encode"
    found = Candidate(module, node.name, node.lineno, "class", chosen, folder, texts, rank, reasons, fault)
    return _add_pair(found, pair) if pair else found


def _list_methods(node: ast.ClassDef) -> dict[str, Function]:
    return {each.name: each for each in node.body if isinstance(each, Function)}


def _choose_method(methods: Mapping[str, ast.FunctionDef]) -> str:
    """The method that embeds texts; one of a list before one of a single text. Empty without one."""
    usable = [
        name
        for name in (*TEXT_METHODS, *ONE_METHODS)
        if name in methods and count_required(methods[name], own=True) == 1 and returns_vectors(methods[name])
    ]
    many = (name for name in usable if name in TEXT_METHODS and read_texts(methods[name], own=True) != "one")
    return next(many, next(iter(usable), ""))


def _function_candidate(name: str, node: Function, module: Module) -> Candidate:
    folder = read_folder(node.args.args)
    texts = read_texts(node)
    is_factory = bool(folder) and not texts and bool(_MAKES.search(name) or _EMBEDS.search(name))
    made = None if texts else _find_made(node, module)
    inner = _class_candidate(made, module) if made else None
    if inner and inner.method and (folder or (inner.fault and not count_required(node))):
        method = "" if inner.method == "__call__" and not inner.query else inner.method
        rank, reasons = _weigh(node, module, name, inner.texts)
        note = inner.note.replace(inner.dotted, f"{module.name}:{name}")
        made_by = Candidate(module, name, node.lineno, "factory", method, folder, inner.texts, rank, reasons)
        return replace(made_by, query=inner.query, query_texts=inner.query_texts, note=note)
    rank, reasons = _weigh(node, module, name, "many" if is_factory else texts)
    kind: Kind = "factory" if is_factory else "function"
    fault = f"{name}() takes {count_required(node)} arguments" if count_required(node) > 1 else ""
    where = folder if is_factory else ""
    return Candidate(module, name, node.lineno, kind, "", where, texts, rank, reasons, fault)


def _find_made(node: Function, module: Module) -> ast.ClassDef | None:
    """The class of the module that a function makes, by its annotation or by what it returns."""
    returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
    calls = [ast.unparse(each.func) for each in returned if isinstance(each, ast.Call)]
    names = {*calls, ast.unparse(node.returns).strip("'\"") if node.returns else ""}
    classes = (each for each in module.tree.body if isinstance(each, ast.ClassDef))
    return next((each for each in classes if each.name in names), None)


def _weigh(node: ast.AST, module: Module, name: str, texts: Texts) -> tuple[tuple[int, ...], tuple[str, ...]]:
    names = [bound for each in ast.walk(module.tree) for bound in _imported_from_openvino(each)]
    inside, around = _uses_openvino(node, names), _uses_openvino(module.tree)
    told = {
        "runs a model on OpenVINO": inside,
        "its module uses OpenVINO": around and not inside,
        "takes a list of texts": texts == "many",
        "takes a text or a list": texts == "either",
        "takes one text": texts == "one",
        "its name": bool(_EMBEDS.search(name)),
    }
    level = ("", "one", "either", "many").index(texts)
    rank = (texts != "one", around, inside, level, bool(_EMBEDS.search(name)))
    return rank, tuple(reason for reason, holds in told.items() if holds)


def _uses_openvino(tree: ast.AST, names: Collection[str] = ()) -> bool:
    """Whether code imports OpenVINO or compiles a model; ``names`` are what its module imported from it."""
    return any(
        bool(_imported_from_openvino(node))
        or (isinstance(node, ast.Name) and (node.id in names or node.id.startswith("OVModel")))
        or (isinstance(node, ast.Attribute) and node.attr == "compile_model")
        or (isinstance(node, ast.keyword) and ast.unparse(node) == "backend='openvino'")
        for node in ast.walk(tree)
    )


def _imported_from_openvino(node: ast.AST) -> list[str]:
    """The names that an import statement binds to parts of OpenVINO."""
    if isinstance(node, ast.Import):
        found = [each for each in node.names if each.name.startswith(_OPENVINO)]
    elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_OPENVINO):
        found = node.names
    else:
        return []
    return [each.asname or each.name.partition(".")[0] for each in found]


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Functions of a module, and static methods of its classes, each with its name."""
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, Function) and any(
                    ast.unparse(decorator) == "staticmethod" for decorator in each.decorator_list
                ):
                    yield f"{node.name}.{each.name}", each


def _works_on_rows(node: Function) -> bool:
    """Whether a normalizer names an axis, adds one, or walks over rows."""
    return any(
        (isinstance(each, ast.keyword) and each.arg in {"axis", "dim", "keepdims"})
        or (isinstance(each, ast.Subscript) and re.search(r"None|newaxis", ast.unparse(each.slice)))
        or (isinstance(each, ast.Attribute) and each.attr == "einsum")
        or isinstance(each, (ast.For, ast.comprehension))
        for each in ast.walk(node)
    )


def _takes_norm(node: Function) -> bool:
    """Whether a function computes the length of vectors."""
    called = {
        each.func.attr if isinstance(each.func, ast.Attribute) else ast.unparse(each.func)
        for each in ast.walk(node)
        if isinstance(each, ast.Call)
    }
    powers = any(isinstance(each, ast.Pow) for each in ast.walk(node))
    return bool(called & {"norm", "sqrt", "hypot", "normalize", "l2_normalize"}) or powers


def _folder_of_class(node: ast.ClassDef, methods: dict[str, ast.FunctionDef]) -> Literal["", "str", "Path"]:
    if "__init__" in methods:
        return read_folder(methods["__init__"].args.args[1:])
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign) and each.value is None]
    first = fields[0] if fields else None
    if first is None or not isinstance(first.target, ast.Name) or not FOLDER.search(first.target.id):
        return ""
    return "Path" if "Path" in ast.unparse(first.annotation) else "str"
