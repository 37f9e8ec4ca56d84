"""Find a matrix by name or path, read it, check it and expand it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.matrix.expand import MAX_CELLS, expand
from harness.matrix.faults import MAX_ID, faults_of, faults_of_rows
from harness.matrix.schema import Matrix, MatrixFile, MatrixRow
from harness.matrix.toml_file import convert, read_toml, suggest
from harness.reading import is_descriptor

# What a person types here: nox in a checkout of the harness, elsewhere the command that was installed.

MATRICES = Path("matrices")
"""Where a project keeps its matrices; ``lock`` alone locks all of them."""


def in_checkout() -> bool:
    """Whether the working directory is a checkout of the harness; a noxfile alone is somebody else's."""
    return Path("noxfile.py").exists() and Path("harness").is_dir()


def describe_sweep() -> str:
    """The command that sweeps the default matrix."""
    return "nox -s compat" if in_checkout() else "harness sweep"


def describe_lock(matrix: Path) -> str:
    """The command that makes the locks of the matrix in this file anew."""
    here = Path.cwd()
    shown = matrix.relative_to(here) if matrix.is_relative_to(here) else matrix
    if not in_checkout():
        return f"harness lock --matrix {shlex.quote(str(shown))}"
    return "nox -s lock" if shown.parent == MATRICES else f"nox -s lock -- --matrix {shlex.quote(str(shown))}"


# Read a matrix file, check it, and expand it.

DEFAULT_MATRIX = "compat"
"""The shipped matrix that a command takes where none is named."""

NO_MATRICES = frozenset({"expected.toml", "tolerances.toml"})
"""What lies beside the matrices and is none."""


def read_matrix(path: Path, *, max_cells: int = MAX_CELLS) -> Matrix:
    """The matrix in a file, checked and expanded to at most ``max_cells`` cells.

    One that comes through a pipe is taken as ``matrix.toml`` of the working directory.

    Raises:
        UsageError: the file is missing, breaks a rule (every fault is named), or expands to too many cells.
    """
    _refuse_missing(path)
    document = read_toml(path)
    file = convert(document, MatrixFile, path)
    place = Path.cwd() / "matrix.toml" if is_descriptor(path) else path
    if len(place.stem.encode()) > MAX_ID or not place.stem.isprintable():
        raise UsageError(f"{path}: the name of a matrix has at most {MAX_ID} printable characters; rename it")
    _refuse(path, faults_of(file, place.parent))
    rows = _rows(file, document, path, max_cells)
    _refuse(path, faults_of_rows(file, rows))
    fields = {field.name: getattr(file, field.name) for field in msgspec.structs.fields(file)}
    return Matrix(**fields, path=place.resolve(), rows=rows)


def _refuse_missing(path: Path) -> None:
    """Name the matrices that are near where one is not there."""
    try:
        path.stat()
    except FileNotFoundError:
        there = [found.name for found in matrix_files(path.parent)]
        listed = f"; there are: {', '.join(there)}" if there else ""
        raise UsageError(f"{path}: no such matrix{suggest(path.name, there)}{listed}") from None
    except (OSError, ValueError):
        return  # reading it says why


def matrix_files(folder: Path) -> tuple[Path, ...]:
    """The matrix files in a folder, by name."""
    return tuple(sorted(file for file in folder.glob("*.toml") if file.name not in NO_MATRICES))


def _rows(file: MatrixFile, document: dict[str, Any], path: Path, max_cells: int) -> tuple[MatrixRow, ...]:
    rows = expand(document, file=str(path), max_cells=max_cells)
    product = len(rows) - len(file.include)
    plain = (MatrixRow(versions=row) for row in rows[:product])
    added = (_included(entry, row) for entry, row in zip(file.include, rows[product:], strict=True))
    return (*plain, *added)


def _included(entry: dict[str, str | tuple[str, ...]], row: dict[str, str]) -> MatrixRow:
    return msgspec.convert(
        {"versions": row, "source": entry.get("source", ()), "reason": entry.get("reason", "")}, MatrixRow
    )


def _refuse(path: Path, faults: Iterable[str]) -> None:
    if told := "\n".join(f"{path}: {fault}" for fault in faults):
        raise UsageError(told)


PACKAGE = Path(__file__).resolve().parents[1]


def shipped_matrices() -> Path:
    """The folder of the matrices that come with the harness: of the wheel, or of the checkout."""
    installed = PACKAGE / "data" / "matrices"
    return installed if installed.is_dir() else PACKAGE.parent / "matrices"


def shipped_golden() -> Path:
    """The folder of the golden embeddings that come with the harness."""
    installed = PACKAGE / "data" / "golden"
    return installed if installed.is_dir() else PACKAGE.parent / "reports" / "golden"


def find_matrix(wanted: str, cwd: Path) -> Path:
    """The file of a matrix: a path, or a name, looked up in ``matrices`` of ``cwd``, then among the shipped.

    Raises:
        UsageError: there is none; lists those that there are.
    """
    if wanted.endswith(".toml") or "/" in wanted or "\\" in wanted:
        return (cwd / wanted).absolute()  # read_matrix tells when there is no such file
    found = {
        file.stem: file for folder in (shipped_matrices(), cwd / "matrices") for file in matrix_files(folder)
    }
    if wanted in found:
        return found[wanted].absolute()
    listed = ", ".join(sorted(found))
    raise UsageError(f"--matrix {wanted}: no such matrix{suggest(wanted, found)}; there are: {listed}")
