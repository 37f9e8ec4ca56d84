"""Read ``tolerances.toml``: what may differ, and why so much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from harness.plan.data import shipped_matrices
from harness.plan.schema import Matrix, Reason, Table
from harness.plan.toml_file import convert, read_toml

FILE_NAME = "tolerances.toml"

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Tolerance(Table, frozen=True, kw_only=True):
    """One allowed value in ``unit``: why, how far results spread, how far a different model is off."""

    allowed: Positive
    unit: Reason
    why: Reason
    spread: float | None = None
    control: float | None = None


class TolerancesFile(Table, frozen=True, kw_only=True):
    """The file: ``[tolerance."<name>"]`` tables."""

    tolerance: dict[str, Tolerance]


def read_tolerances(path: Path) -> dict[str, Tolerance]:
    """The tolerances in a file, by name.

    Raises:
        UsageError: the file is missing or says something that cannot be meant.
    """
    return convert(read_toml(path), TolerancesFile, path).tolerance


def tolerances_of(matrix: Matrix) -> dict[str, Tolerance]:
    """The shipped tolerances, those in the file of the matrix (or beside it) put over them."""
    own = matrix.folder / (matrix.tolerances or FILE_NAME)
    shipped = shipped_matrices() / FILE_NAME
    files = dict.fromkeys(path.resolve() for path in (shipped, own) if path.exists())
    return {name: found for path in files for name, found in read_tolerances(path).items()}


def allowed_values(tolerances: dict[str, Tolerance]) -> dict[str, float]:
    """Name -> allowed value, as a cell is told."""
    return {name: found.allowed for name, found in tolerances.items()}
