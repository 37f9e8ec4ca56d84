"""What code a gate was measured and decided with: gates of other code prove nothing of this one."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

import harness

MEASURING = (
    "processes.py",
    "plan/quantities.py",
    "cell/*.py",
    "run/account.py",
    "run/cell.py",
    "run/ends.py",
    "run/events.py",
    "run/group.py",
    "run/material.py",
    "run/surroundings.py",
    "run/rounds.py",
    "run/turns.py",
    "run/probing/*.py",
    "speed/*.py",
    "judge/discord.py",
    "judge/intervals.py",
    "judge/quantities.py",
    "judge/sampling.py",
    "judge/slower.py",
    "judge/void.py",
    "proof/planted.py",
    "proof/real.py",
    "proof/recording.py",
    "proof/twin.py",
)
"""Globs below ``harness/``: what times, what decides, and what the proof has them do."""


def digest_code(root: Path | None = None) -> str:
    """A digest of that code without its comments and docstrings; another minor Python may give another.

    Raises:
        ValueError: a glob matches no file.
    """
    root = Path(harness.__file__).parent if root is None else root
    digest = hashlib.sha256()
    for path in _list(root):
        tree = _Bare().visit(ast.parse(path.read_bytes()))
        digest.update(f"{path.relative_to(root).as_posix()}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]


def _list(root: Path) -> Iterable[Path]:
    for glob in MEASURING:
        found = sorted(root.glob(glob))
        if not found:
            raise ValueError(f"{root / glob}: no such file, but gates are measured or decided by it")
        yield from found


class _Bare(ast.NodeTransformer):
    """Takes away strings that stand by themselves: docstrings of modules, functions, classes, constants."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """See ``ast.NodeVisitor``."""
        value = node.value
        return None if isinstance(value, ast.Constant) and isinstance(value.value, str) else node
