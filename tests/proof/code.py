"""What code a gate was measured and decided with: gates of other code prove nothing of this one."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import harness

ROOTS = (
    "harness.cell.convert",
    "harness.cell.probe",
    "harness.gate.measuring",
    "harness.judge.gate_verdict",
    "proof.planted",
    "proof.real",
    "proof.recording",
    "proof.twin",
)
"""What times, what decides, and what the proof has them do; all that they import counts too."""


def digest_code(roots: Mapping[str, Path] | None = None) -> str:
    """A digest of that code without its comments and docstrings; another minor Python may give another.

    Args:
        roots: package -> its folder, where it is not the one that is imported.

    Raises:
        ValueError: there is no such module.
    """
    folders = {"harness": Path(harness.__file__).parent, "proof": Path(__file__).parent} | dict(roots or {})
    digest = hashlib.sha256()
    for name, path in sorted(find_closure(ROOTS, folders).items()):
        digest.update(f"{name}\n{_read_module(path.read_bytes()).tree}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Module:
    """The names that a module imports, and its tree without docstrings."""

    imported: tuple[str, ...]
    tree: str


@functools.cache
def _read_module(source: bytes) -> _Module:
    """Parse a module once for each of its texts: a digest reads over a hundred."""
    tree = ast.parse(source)
    imported = [
        each
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for each in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    ]
    return _Module(tuple(imported), ast.dump(_Bare().visit(tree)))


def find_closure(names: Iterable[str], folders: Mapping[str, Path]) -> dict[str, Path]:
    """The modules of some packages that these modules import, directly or not, themselves included.

    Raises:
        ValueError: there is no such module.
    """
    find = functools.cache(
        lambda name: _find_module(name, folders)
    )  # hundreds of names, imported thousands of times
    found: dict[str, Path] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = find(name)
        if path is None:
            raise ValueError(f"{name}: no such module, but gates are measured or decided by it")
        found[name] = path
        waiting += [each for each in _read_module(path.read_bytes()).imported if find(each)]
    return found


def _find_module(name: str, folders: Mapping[str, Path]) -> Path | None:
    package, *parts = name.split(".")
    if package not in folders:
        return None
    place = folders[package].joinpath(*parts)
    files = (place.with_suffix(".py"), place / "__init__.py") if parts else (place / "__init__.py",)
    return next((path for path in files if path.is_file()), None)


class _Bare(ast.NodeTransformer):
    """Takes away strings that stand by themselves: docstrings of modules, functions, classes, constants."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """See ``ast.NodeVisitor``."""
        value = node.value
        return None if isinstance(value, ast.Constant) and isinstance(value.value, str) else node
