"""Find a matrix by name or path, then read, validate and expand it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.input_files import is_descriptor
from harness.matrix.expand import MAX_CELLS, ArrayError, Row, array_path, expand, read_array
from harness.matrix.faults import MAX_ID, faults_of, faults_of_rows
from harness.matrix.schema import Matrix, MatrixFile, MatrixRow
from harness.matrix.toml_file import convert, read_toml, refuse, suggest

MATRICES = Path("matrices")
"""The folder of a project's matrices; ``lock`` without arguments locks all of them."""


def in_checkout() -> bool:
    """Whether the working directory is a checkout of the harness; messages then name nox commands."""
    return Path("noxfile.py").exists() and Path("harness").is_dir()


def describe_sweep() -> str:
    """The command that sweeps the default matrix."""
    return "nox -s compat" if in_checkout() else "harness sweep"


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def describe_update(matrix: Path) -> str:
    """The command that writes the versions that the rules of this matrix select."""
    front = "nox -s matrix -- update" if in_checkout() else "harness matrix update"
    return f"{front} --matrix {shlex.quote(str(_from_here(matrix)))}"


def describe_lock(matrix: Path) -> str:
    """The command that locks the matrix in this file again."""
    shown = _from_here(matrix)
    if not in_checkout():
        return f"harness lock --matrix {shlex.quote(str(shown))}"
    return "nox -s lock" if shown.parent == MATRICES else f"nox -s lock -- --matrix {shlex.quote(str(shown))}"


DEFAULT_MATRIX = "compat"
"""The shipped matrix that a command uses if none is named, and the project has none."""


def default_matrix(cwd: Path) -> str:
    """The matrix of a command that names none: that of the project, or the shipped one.

    Raises:
        UsageError: the project has several.
    """
    own = () if in_checkout() else matrix_files(cwd / MATRICES)
    if len(own) > 1:
        listed = ", ".join(str(MATRICES / file.name) for file in own)
        raise UsageError(f"--matrix: this project has {len(own)} matrices; name one of {listed}")
    return str(MATRICES / own[0].name) if own else DEFAULT_MATRIX


NO_MATRICES = frozenset({"expected.toml", "tolerances.toml"})
"""TOML files in a folder of matrices that are not matrices."""


def read_matrix(path: Path, *, max_cells: int = MAX_CELLS, array: bool = True) -> Matrix:
    """The matrix in a file, validated and expanded to at most ``max_cells`` cells.

    A matrix from a pipe is treated as ``matrix.toml`` in the working directory. Without ``array``, a matrix
    with ``cover`` has the rows only that it has with any covering array: the baseline and the included ones.

    Raises:
        UsageError: the file is missing, invalid (every fault is listed), or expands to too many cells.
        ArrayError: its covering array is missing, or of another matrix; the message names the command.
    """
    _refuse_missing(path)
    return build_matrix(read_toml(path), path, max_cells=max_cells, array=array)


def read_matrix_file(path: Path) -> MatrixFile:
    """A matrix before expansion, whose axes may have no versions yet.

    Raises:
        UsageError: the file is missing, or has a fault that shows before expansion.
    """
    _refuse_missing(path)
    return _validate(read_toml(path), path)


def build_matrix(
    document: dict[str, Any], path: Path, *, max_cells: int = MAX_CELLS, array: bool = True
) -> Matrix:
    """The matrix in a document of the file ``path``, as ``read_matrix``.

    Raises:
        UsageError: as ``read_matrix``.
    """
    file = _validate(document, path)
    found = _read_array(document, _place(path)) if array and file.cover is not None else []
    rows = _rows(file, document, path, max_cells, found)
    refuse(path, faults_of_rows(file, rows))
    fields = {field.name: getattr(file, field.name) for field in msgspec.structs.fields(file)}
    return Matrix(**fields, path=_place(path).resolve(), rows=rows)


def _validate(document: dict[str, Any], path: Path) -> MatrixFile:
    file = convert(document, MatrixFile, path)
    place = _place(path)
    if len(place.stem.encode()) > MAX_ID or not place.stem.isprintable():
        raise UsageError(
            f"{path}: the name of a matrix is limited to {MAX_ID} printable characters; rename it"
        )
    refuse(path, faults_of(file, place.parent))
    return file


def _place(path: Path) -> Path:
    """Where the matrix of a file counts as; that of a pipe is in the working directory."""
    return Path.cwd() / "matrix.toml" if is_descriptor(path) else path


def _refuse_missing(path: Path) -> None:
    """Refuse a missing matrix; the message lists similar and existing ones."""
    try:
        path.stat()
    except FileNotFoundError:
        there = [found.name for found in matrix_files(path.parent)]
        listed = f"; there are: {', '.join(there)}" if there else ""
        raise UsageError(f"{path}: no such matrix{suggest(path.name, there)}{listed}") from None
    except (OSError, ValueError):
        return  # reading the file reports the reason


def matrix_files(folder: Path) -> tuple[Path, ...]:
    """The matrix files in a folder, by name."""
    return tuple(sorted(file for file in folder.glob("*.toml") if file.name not in NO_MATRICES))


def _read_array(document: dict[str, Any], place: Path) -> list[Row]:
    try:
        return read_array(array_path(place), document)
    except ArrayError as error:
        raise ArrayError(f"{error}; run `{describe_lock(place)}`") from None


def _rows(
    file: MatrixFile, document: dict[str, Any], path: Path, max_cells: int, array: Sequence[Row]
) -> tuple[MatrixRow, ...]:
    rows = expand(document, file=str(path), max_cells=max_cells, array=array)
    product = len(rows) - len(file.include)
    plain = (MatrixRow(versions=row) for row in rows[:product])
    added = (_included(entry, row) for entry, row in zip(file.include, rows[product:], strict=True))
    return (*plain, *added)


def _included(entry: dict[str, str | tuple[str, ...]], row: dict[str, str]) -> MatrixRow:
    return msgspec.convert(
        {"versions": row, "source": entry.get("source", ()), "reason": entry.get("reason", "")}, MatrixRow
    )


PACKAGE = Path(__file__).resolve().parents[1]

DOCUMENTS = {
    "README": "README.md",
    "CONTRIBUTING": "CONTRIBUTING.md",
    "matrices": "matrices/README.md",
    "reports": "reports/README.md",
}
"""Name -> path in a checkout, of documents that ``harness explain`` quotes."""


def shipped_matrices() -> Path:
    """The folder of the shipped matrices, in the wheel or in the checkout."""
    installed = PACKAGE / "data" / "matrices"
    return installed if installed.is_dir() else PACKAGE.parent / "matrices"


def find_documents() -> dict[str, Path]:
    """The documents of the project by name, in the wheel or in the checkout."""
    installed = PACKAGE / "data" / "documents"
    if installed.is_dir():
        return {name: installed / f"{name}.md" for name in DOCUMENTS}
    return {name: PACKAGE.parent / path for name, path in DOCUMENTS.items()}


def is_shipped(matrix: Matrix) -> bool:
    """Whether a matrix is one of the harness itself."""
    return matrix.folder == shipped_matrices().resolve()


def shipped_golden() -> Path:
    """The folder of the shipped golden embeddings."""
    installed = PACKAGE / "data" / "golden"
    return installed if installed.is_dir() else PACKAGE.parent / "reports" / "golden"


def find_matrix(wanted: str, cwd: Path) -> Path:
    """The file of a matrix by path, or by name in ``matrices`` of ``cwd`` and among the shipped matrices.

    Raises:
        UsageError: there is no such matrix; the message lists the existing ones.
    """
    if wanted.endswith(".toml") or "/" in wanted or "\\" in wanted:
        return (cwd / wanted).absolute()  # read_matrix reports a missing file
    found = {
        file.stem: file for folder in (shipped_matrices(), cwd / "matrices") for file in matrix_files(folder)
    }
    if wanted in found:
        return found[wanted].absolute()
    listed = ", ".join(sorted(found))
    raise UsageError(f"--matrix {wanted}: no such matrix{suggest(wanted, found)}; there are: {listed}")
