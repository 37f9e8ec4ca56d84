"""What a person types here: nox in a checkout of the harness, elsewhere the command that was installed."""

from __future__ import annotations

import shlex
from pathlib import Path

MATRICES = Path("matrices")
"""Where a project keeps its matrices; ``lock`` alone locks all of them."""


def in_checkout() -> bool:
    """Whether the working directory is a checkout of the harness; a noxfile alone is somebody else's."""
    return Path("noxfile.py").exists() and Path("harness").is_dir()


def say_sweep() -> str:
    """The command that sweeps the default matrix."""
    return "nox -s compat" if in_checkout() else "harness sweep"


def say_lock(matrix: Path) -> str:
    """The command that makes the locks of the matrix in this file anew."""
    here = Path.cwd()
    shown = matrix.relative_to(here) if matrix.is_relative_to(here) else matrix
    if not in_checkout():
        return f"harness lock --matrix {shlex.quote(str(shown))}"
    return "nox -s lock" if shown.parent == MATRICES else f"nox -s lock -- --matrix {shlex.quote(str(shown))}"
