"""Read a matrix file, check that it can be meant, and expand it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.plan.expand import expand
from harness.plan.faults import faults_of, faults_of_rows
from harness.plan.schema import Matrix, MatrixFile, MatrixRow
from harness.plan.toml_file import convert, read_toml, suggest

NO_MATRICES = frozenset({"expected.toml", "tolerances.toml"})
"""What lies beside the matrices and is none."""


def read_matrix(path: Path) -> Matrix:
    """The matrix in a file, checked and expanded.

    Raises:
        UsageError: the file is missing, or says something that cannot be meant; every fault is named.
    """
    if not path.is_file():
        there = [found.name for found in matrix_files(path.parent)]
        listed = f"; there are: {', '.join(there)}" if there else ""
        raise UsageError(f"{path}: no such matrix{suggest(path.name, there)}{listed}")
    document = read_toml(path)
    file = convert(document, MatrixFile, path)
    _refuse(path, faults_of(file, path.parent))
    rows = _rows(file, document, path)
    _refuse(path, faults_of_rows(file, rows))
    fields = {field.name: getattr(file, field.name) for field in msgspec.structs.fields(file)}
    return Matrix(**fields, path=path.resolve(), rows=rows)


def matrix_files(folder: Path) -> tuple[Path, ...]:
    """The matrix files in a folder, by name."""
    return tuple(sorted(file for file in folder.glob("*.toml") if file.name not in NO_MATRICES))


def _rows(file: MatrixFile, document: dict[str, Any], path: Path) -> tuple[MatrixRow, ...]:
    rows = expand(document, file=str(path))
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
