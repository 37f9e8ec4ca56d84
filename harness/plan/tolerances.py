"""Read ``tolerances.toml``: what may differ, and why so much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from harness.errors import UsageError
from harness.plan.data import shipped_matrices
from harness.plan.schema import Matrix, Reason, Table
from harness.plan.toml_file import convert, read_toml, suggest

FILE_NAME = "tolerances.toml"

Allowed = Annotated[
    float, msgspec.Meta(gt=0, le=1, description="a number above 0 and at most 1, such as 2e-6")
]
Measured = Annotated[float, msgspec.Meta(ge=0, le=1e6, description="a number from 0 to 1e6")]


class Tolerance(Table, frozen=True, kw_only=True):
    """One allowed value in ``unit``: why, how far results spread, how far a different model is off."""

    allowed: Allowed
    unit: Reason
    why: Reason
    spread: Measured | None = None
    control: Measured | None = None


class TolerancesFile(Table, frozen=True, kw_only=True):
    """The file: ``[tolerance."<name>"]`` tables."""

    tolerance: dict[str, Tolerance]


def read_tolerances(path: Path) -> dict[str, Tolerance]:
    """The tolerances in a file, by name.

    Raises:
        UsageError: the file is missing, breaks a rule, or names a tolerance that no check reads.
    """
    shipped = shipped_matrices() / FILE_NAME
    found = convert(read_toml(path), TolerancesFile, path).tolerance
    if path.resolve() == shipped.resolve():
        return found
    known = read_tolerances(shipped)
    if faults := [
        f"{path}: tolerance.{name}: no check reads it{suggest(name, known)}; known: {', '.join(known)}"
        for name in found
        if name not in known
    ]:
        raise UsageError("\n".join(faults))
    return found


def tolerances_of(matrix: Matrix) -> dict[str, Tolerance]:
    """The shipped tolerances, those in the file of the matrix (or beside it) put over them."""
    own = matrix.folder / (matrix.tolerances or FILE_NAME)
    shipped = shipped_matrices() / FILE_NAME
    files = dict.fromkeys(path.resolve() for path in (shipped, own) if path.exists())
    return {name: found for path in files for name, found in read_tolerances(path).items()}


def allowed_values(tolerances: dict[str, Tolerance]) -> dict[str, float]:
    """Name -> allowed value, as a cell is told."""
    return {name: found.allowed for name, found in tolerances.items()}
