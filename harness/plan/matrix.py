"""Read a matrix file, check it, and expand it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.plan.expand import MAX_CELLS, expand
from harness.plan.faults import MAX_ID, faults_of, faults_of_rows
from harness.plan.schema import Matrix, MatrixFile, MatrixRow
from harness.plan.toml_file import convert, read_toml, suggest
from harness.reading import is_descriptor

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
