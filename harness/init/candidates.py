"""Find what may be the embedder and the normalizer of a service, by reading its code without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

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
_FOLDER = re.compile(r"model|path|dir|folder|checkpoint", re.IGNORECASE)
_NORMALIZES = re.compile(r"normali[sz]|unit|l2", re.IGNORECASE)
_OPENVINO = ("openvino", "optimum.intel")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Kind = Literal["class", "function", "factory"]
Texts = Literal["", "one", "either", "many"]
"""What a parameter takes by its name and type: anything, one text, that or a list, or a list of texts."""


@dataclass(frozen=True)
class Candidate:
    """A class, a function or a factory that may be what is looked for.

    Attributes:
        module: where it is defined.
        name: its name in the module.
        line: of its definition.
        kind: a class, a function over texts or vectors, or a function that makes the embedder.
        method: the method of a class that embeds texts.
        folder: the type of its parameter for the model folder, ``str`` or ``Path``; empty without one.
        texts: what the function or the method takes.
        rank: how much speaks for it; the highest is the best.
        reasons: what speaks for it.
        fault: why the harness cannot make it; empty if it can.
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
            if _NORMALIZES.search(name) and _required(node) == 1 and _takes_norm(node):
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
        for each, function in _functions(module.tree):
            if each == inner:
                return _function_candidate(each, function, module)
    return None


def _embedders_of(module: Module) -> Iterator[Candidate]:
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found = _class_candidate(node, module)
            if found.method and (_EMBEDS.search(node.name) or found.method != "__call__" or found.rank[2]):
                yield found
    for name, function in _functions(module.tree):
        if "." in name or name.startswith("_") or isinstance(function, ast.AsyncFunctionDef):
            continue
        found = _function_candidate(name, function, module)
        if _EMBEDS.search(name) and (found.kind == "factory" or found.texts):
            yield found


def _class_candidate(node: ast.ClassDef, module: Module, method: str = "") -> Candidate:
    methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    chosen = method or _choose_method(methods)
    texts = _texts_of(methods[chosen], own=True) if chosen in methods else ""
    if chosen in ONE_METHODS and texts == "either":
        texts = "one"
    rank, reasons = _weigh(node, module, node.name, texts)
    folder = _folder_of_class(node, methods)
    needed = _required(methods["__init__"], own=True) if "__init__" in methods else 0
    fault = ""
    if needed > (1 if folder else 0):
        fault = f"{node.name}() takes {needed} arguments, and the harness has the model folder only"
    elif not chosen:
        fault = f"{node.name} has no method of one argument such as encode"
    return Candidate(module, node.name, node.lineno, "class", chosen, folder, texts, rank, reasons, fault)


def _choose_method(methods: Mapping[str, ast.FunctionDef]) -> str:
    """The method that embeds texts; one of a list before one of a single text. Empty without one."""
    usable = [
        name
        for name in (*TEXT_METHODS, *ONE_METHODS)
        if name in methods and _required(methods[name], own=True) == 1 and _returns_vectors(methods[name])
    ]
    many = (name for name in usable if name in TEXT_METHODS and _texts_of(methods[name], own=True) != "one")
    return next(many, next(iter(usable), ""))


def _function_candidate(name: str, node: Function, module: Module) -> Candidate:
    folder = _folder_of(node.args.args)
    texts = _texts_of(node)
    is_factory = bool(folder) and not texts and bool(_MAKES.search(name) or _EMBEDS.search(name))
    rank, reasons = _weigh(node, module, name, "many" if is_factory else texts)
    kind: Kind = "factory" if is_factory else "function"
    fault = f"{name}() takes {_required(node)} arguments" if _required(node) > 1 else ""
    where = folder if is_factory else ""
    return Candidate(module, name, node.lineno, kind, "", where, texts, rank, reasons, fault)


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


def _required(node: Function, *, own: bool = False) -> int:
    """The number of required arguments; of a method without ``self``."""
    arguments = node.args
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults) - own
    return positional + sum(default is None for default in arguments.kw_defaults)


def _texts_of(node: Function, *, own: bool = False) -> Texts:
    """What a function takes; a singular name without a type is that of a text, or of a list."""
    arguments = [*node.args.posonlyargs, *node.args.args][own:]
    if not arguments or _required(node, own=own) > 1:
        return ""
    kind, name = _annotation(arguments[0]), arguments[0].arg
    if _MANY.search(kind):
        return "many"
    if _STR.fullmatch(kind):
        told = _ONE.fullmatch(name) or (node.returns and not _FOLDER.search(name) and _says_vectors(node))
        return "one" if told and _returns_vectors(node) else ""
    if name == "query" and _returns_vectors(node):
        return "one"
    if not _TEXTS.fullmatch(name):
        return ""
    return "either" if _ONE.fullmatch(name) else "many"


def _returns_vectors(node: Function) -> bool:
    """Whether the type of the result, if there is one, may be that of vectors; that of tokens is not."""
    kind = "" if node.returns is None else ast.unparse(node.returns)
    return bool(_VECTORS.search(kind)) or not _NO_VECTORS.search(kind)


def _says_vectors(node: Function) -> bool:
    return node.returns is not None and bool(_VECTORS.search(ast.unparse(node.returns)))


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
        return _folder_of(methods["__init__"].args.args[1:])
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign) and each.value is None]
    first = fields[0] if fields else None
    if first is None or not isinstance(first.target, ast.Name) or not _FOLDER.search(first.target.id):
        return ""
    return "Path" if "Path" in ast.unparse(first.annotation) else "str"


def _folder_of(arguments: Sequence[ast.arg]) -> Literal["", "str", "Path"]:
    """The type of a first parameter that takes the model folder; empty if it takes something else."""
    kind = _annotation(arguments[0]) if arguments else ""
    if not arguments or _ONE.fullmatch(arguments[0].arg):
        return ""
    if not (_FOLDER.search(arguments[0].arg) or re.search(r"\b(?:str|Path|PathLike)\b", kind)):
        return ""
    return "Path" if "Path" in kind and "str" not in kind else "str"


def _annotation(argument: ast.arg) -> str:
    if argument.annotation is None:
        return ""
    if isinstance(argument.annotation, ast.Constant):
        return str(argument.annotation.value)
    return ast.unparse(argument.annotation)
