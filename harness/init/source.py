"""Read the Python sources of a project: its modules, where they are imported from, and what they import."""

from __future__ import annotations

import ast
import itertools
import os
import sys
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_FILES = 5000
MAX_BYTES = 1_000_000
SKIPPED = frozenset(
    (
        *("node_modules", "site-packages", "build", "dist", "docs", "matrices", "reports"),
        *("tests", "test", "testing"),
    )
)
"""Folders without the code of a service."""

_SKIPPED_FILES = ("test_", "conftest", "setup.py", "noxfile.py")


@dataclass(frozen=True)
class Module:
    """A Python file of the project: ``name`` is its dotted name when ``root`` is on ``sys.path``."""

    path: Path
    root: Path
    name: str
    tree: ast.Module


def walk_project(project: Path) -> Iterator[Path]:
    """The folders of a project that may hold its code and models, without environments and hidden folders."""
    for place, folders, _ in os.walk(project):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "_"))
            and name not in SKIPPED
            and not (Path(place, name) / "pyvenv.cfg").exists()
        )
        yield Path(place)


def read_modules(project: Path) -> tuple[Module, ...]:
    """Every module of a project that Python can parse, but for tests, at most ``MAX_FILES``."""
    modules = (_read_module(path, project) for path in _list_files(project))
    return tuple(itertools.islice(filter(None, modules), MAX_FILES))


def list_unread(modules: Collection[Module], project: Path) -> Iterator[Path]:
    """The Python files of a project that are none of the modules, relative to its folder."""
    read = {each.path for each in modules}
    yield from (path.relative_to(project) for path in _list_files(project) if path not in read)


def _list_files(project: Path) -> Iterator[Path]:
    for folder in walk_project(project):
        found = sorted(folder.glob("*.py"))
        yield from (path for path in found if not path.name.startswith(_SKIPPED_FILES))


def _read_module(path: Path, project: Path) -> Module | None:
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of their code, such as invalid escape sequences
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the last: nested too deeply
        return None
    root = _find_root(path, tree, project)
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
    return Module(path, root, name, tree) if all(map(str.isidentifier, parts)) else None


def _find_root(path: Path, tree: ast.Module, project: Path) -> Path:
    """The folder that a file is imported from: the innermost one in which its own imports are found."""
    innermost = path.parent
    while (innermost / "__init__.py").exists() and innermost != project:
        innermost = innermost.parent
    roots = [innermost]
    while roots[-1] != project:
        roots.append(roots[-1].parent)
    local = {name for name in _top_names(tree) if any(_is_module(root / name) for root in roots)}
    return next((root for root in roots if all(_is_module(root / name) for name in local)), innermost)


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or any(path.glob("*.py"))


def _top_names(tree: ast.Module) -> set[str]:
    """The first parts of absolute imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def foreign_names(start: Module, modules: Collection[Module]) -> frozenset[str]:
    """What a module needs beyond the project: imported packages, and texts that may name packages.

    Modules of the project that it imports are followed. Texts count because resources are loaded by name:
    ``importlib.resources.files("some_model")``.
    """
    known = {module.name: module for module in modules if module.root == start.root}
    queue, seen, names = [start], {start.name}, set[str]()
    while queue:
        module = queue.pop()
        names |= _top_names(module.tree) | _texts(module.tree)
        for full in (module.name, *_full_names(module)):
            parts = full.split(".")  # of a thing in a module; its packages are imported before
            inner = {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & known.keys() - seen
            seen |= inner
            queue += [known[name] for name in sorted(inner)]
    own = {name.partition(".")[0] for name in known}
    return frozenset(names - own - sys.stdlib_module_names)


def _texts(tree: ast.Module) -> set[str]:
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {text.partition(".")[0] for text in texts if isinstance(text, str) and len(text) < 200}


def _full_names(module: Module) -> Iterator[str]:
    """The absolute names that a module imports, with the names of things in modules."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if node.level else []
            base = [*parts[: len(parts) - node.level + 1], *filter(None, [node.module])]
            yield from (".".join((*base, alias.name)) for alias in node.names)
