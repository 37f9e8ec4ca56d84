"""Find by reading the source of a subject, without running it, what cannot be imported in any cell.

Only what is certain is refused. A module that is not on the search path may be in a package of the cell, and
names can be made at run time; the first cell shows these.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.input_files import read_input
from harness.matrix.schema import Matrix
from harness.matrix.toml_file import refuse, suggest

_KNOWN = frozenset({"python", "numpy", "torch", "openvino", "transformers", "sentence-transformers"})
"""Packages that hold no subject."""

_OTHER_MODULES = (".so", ".pyd", ".pyc")
_LISTS = frozenset({"list", "List", "Sequence", "Iterable", "Collection"})


def check_subject(matrix: Matrix) -> None:
    """Refuse dotted paths whose module or name does not exist, and a function of texts as an embedder.

    Raises:
        UsageError: one line per fault, with its key.
    """
    refuse(matrix.path, _find_faults(matrix))


def _find_faults(matrix: Matrix) -> Iterator[str]:
    for key, path in matrix.subject.paths.items():
        module, _, name = path.partition(":")
        if module.split(".")[0] in {"harness", *sys.stdlib_module_names}:
            continue
        if fault := _find_fault(module, name.split(".")[0], matrix):
            yield f"subject.{key}: {path}: {fault}"
        elif key == "embedder" and _takes_texts(module, name, matrix.search_path):
            yield (
                f"subject.embedder: {path} takes texts, but embedder names a factory (model_dir) -> "
                "callable, and service a function from texts to final vectors"
            )


def _find_fault(module: str, name: str, matrix: Matrix) -> str:
    """Why a name cannot be imported; empty if it can, or if that cannot be told."""
    folders = matrix.search_path
    top = module.split(".", maxsplit=1)[0]
    if not any(_is_module(folder, top) for folder in folders):
        named = {*matrix.pins, *(name for row in matrix.rows for name in row.versions)}
        if matrix.subject.requires or named - _KNOWN:
            return ""  # a package of the cell may hold it
        there = sorted({each for folder in folders for each in _list_modules(folder)})
        listed = ", ".join(matrix.subject.search_path) or "empty"
        return f"no module {top!r} on search-path ({listed}){suggest(top, there)}"
    folder = next(folder for folder in folders if _is_module(folder, top))
    parts = module.split(".")
    for depth in range(1, len(parts)):
        package = folder.joinpath(*parts[:depth])
        if not _is_module(package, parts[depth]):
            if not package.is_dir():
                return f"{'.'.join(parts[:depth])} is a module and no package"
            return f"no module {parts[depth]!r} in {package}{suggest(parts[depth], _list_modules(package))}"
    source = _find_source(folder, parts)
    known = None if source is None else _read_names(source)
    if known is None or name in known or _is_module(folder.joinpath(*parts), name):
        return ""
    return f"{source} has no {name!r}{suggest(name, known)}"


def _is_module(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() or name in _list_modules(folder)


def _list_modules(folder: Path) -> list[str]:
    """The modules in a folder, packages included; those of other kinds than source too."""
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if path.suffix in {".py", *_OTHER_MODULES}]
    packages = [path.name for path in folder.iterdir() if (path / "__init__.py").is_file()]
    return sorted({*packages, *(path.name.split(".")[0] for path in files)})


def _find_source(folder: Path, parts: Sequence[str]) -> Path | None:
    """The source file of a module; None if it has none, such as a package without ``__init__.py``."""
    place = folder.joinpath(*parts)
    found = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in found if path.is_file()), None)


def _parse(source: Path) -> ast.Module | None:
    """The parsed source; None if it cannot be parsed here: a cell may have another Python."""
    try:
        return ast.parse(read_input(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError, UsageError):  # nested too deeply
        return None


def _read_names(source: Path) -> set[str] | None:
    """The names that a module defines at its top; None if some are made in another way."""
    tree = _parse(source)
    if tree is None:
        return None
    names: set[str] = set()
    for node in _walk_top(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name):
            names |= {node.id}
    dynamic = {"*", "__getattr__", "globals", "setattr", "vars", "exec"}
    return None if names & dynamic else names


def _walk_top(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module without the bodies of its functions and classes."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _walk_top(child)


def _takes_texts(module: str, name: str, folders: Sequence[Path]) -> bool:
    """Whether a name is a function whose first parameter is annotated as a list."""
    sources = (_find_source(folder, module.split(".")) for folder in folders)
    tree = next((_parse(source) for source in sources if source is not None), None)
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef) and node.name == name and node.args.args:
            kind = node.args.args[0].annotation
            base = kind.value if isinstance(kind, ast.Subscript) else kind
            return base is not None and ast.unparse(base).rpartition(".")[2] in _LISTS
    return False
