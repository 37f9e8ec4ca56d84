"""Build the cells of a matrix from its rows, and select cells by globs."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.errors import UsageError
from harness.matrix.expand import cell_id
from harness.matrix.requirement import is_exact
from harness.matrix.schema import Matrix, MatrixRow
from harness.records import Cell

SUITE_REQUIREMENTS = Path(__file__).parents[1] / "cell" / "requirements.txt"
"""The requirements of the suite in every cell."""


def cells_of(matrix: Matrix) -> tuple[Cell, ...]:
    """The cells of a matrix, in the order of its rows."""
    suite = suite_requirements()
    return tuple(_cell(matrix, row, suite) for row in matrix.rows)


def suite_requirements(path: Path = SUITE_REQUIREMENTS) -> tuple[str, ...]:
    """The requirements of the suite (PEP 508)."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(str(Requirement(line)) for line in lines if line)


def select(cells: Sequence[Cell], only: Sequence[str] = (), skip: Sequence[str] = ()) -> tuple[Cell, ...]:
    """The cells whose id matches a glob of ``only`` (empty: all cells) and no glob of ``skip``.

    Raises:
        UsageError: a glob matches no cell, or the selection is empty; the message lists similar ids.
    """
    ids = [cell.id for cell in cells]
    for option, globs in (("--only", only), ("--skip", skip)):
        for glob in globs:
            if not fnmatch.filter(ids, glob):
                raise UsageError(f"{option} {glob!r} matches no cell; {_near(glob, ids)}")
    chosen = [cell for cell in cells if not only or _matches_any(cell.id, only)]
    selected = tuple(cell for cell in chosen if not _matches_any(cell.id, skip))
    if not selected:
        raise UsageError(f"--skip {' '.join(skip)} leaves no cell; {_near(' '.join(skip), ids)}")
    return selected


def _cell(matrix: Matrix, row: MatrixRow, suite: Sequence[str]) -> Cell:
    versions = {name: pin.version for name, pin in matrix.pins.items()} | row.versions
    python = versions.pop("python")
    asked = {name: ask_for(name, text) for name, text in versions.items()}
    # A version that the matrix names replaces the suite's bound on the same package.
    added = [text for text in suite if canonicalize_name(Requirement(text).name) not in asked]
    added += [str(Requirement(text)) for text in matrix.subject.requires]
    return Cell(
        id=cell_id(row.versions),
        axes=row.versions,
        requirements=tuple(sorted({*asked.values(), *added})),
        python=python,
        source=tuple(sorted(row.source)),
        baseline=bool(matrix.baseline) and row.versions == matrix.baseline,
    )


def ask_for(name: str, text: str) -> str:
    """The requirement for a package and its entry in a matrix: an exact version, a specifier, or empty."""
    return f"{name}=={text}" if text and is_exact(text) else f"{name}{text}"


def _matches_any(cell: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(cell, glob) for glob in globs)


def _near(glob: str, ids: Sequence[str]) -> str:
    bare = glob.replace("*", "")
    near = difflib.get_close_matches(bare, ids, n=3, cutoff=0.3) or list(ids[:3])
    more = f", ... ({len(ids)} in all)" if len(ids) > len(near) else ""
    return f"there are: {', '.join(near)}{more}"
