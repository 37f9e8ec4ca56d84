"""Read and validate the companion files of a matrix: expectations and tolerances."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from packaging.utils import canonicalize_name

from harness.cell.interface import SHIPPED_NORMALIZERS, load_checks
from harness.errors import UsageError
from harness.matrix.read import matrix_files, shipped_matrices
from harness.matrix.requirement import specifier_fault
from harness.matrix.schema import SHIPPED, Matrix, Reason, Table
from harness.matrix.toml_file import convert, read_toml, suggest
from harness.records import Expectation

FILE_NAME = "expected.toml"


class ExpectedFile(Table, frozen=True, kw_only=True):
    """An ``expected.toml``: ``[[expected]]`` tables."""

    schema: Literal[1] = 1
    expected: tuple[Expectation, ...] = ()


def expectations_for(matrix: Matrix) -> tuple[Expectation, ...]:
    """The expectations of a matrix, in the order of its files.

    Raises:
        UsageError: an expectation is invalid; every fault of the file is listed.
    """
    return _read_all(matrix, [path for path in expected_files(matrix) if not _is_borrowed(path, matrix)])


def borrowed_for(matrix: Matrix) -> tuple[Expectation, ...]:
    """The shipped expectations that a user's own matrix includes.

    The matrix may lack the versions that they name, so one of them that matches nothing is no fault.

    Raises:
        UsageError: as ``expectations_for``.
    """
    return _read_all(matrix, [path for path in expected_files(matrix) if _is_borrowed(path, matrix)])


def _read_all(matrix: Matrix, paths: list[Path]) -> tuple[Expectation, ...]:
    found = (each for path in paths for each in read_expected(path))
    return tuple(each for each in found if not each.matrix or matrix.name in each.matrix)


def _is_borrowed(path: Path, matrix: Matrix) -> bool:
    shipped = shipped_matrices().resolve()
    return path.resolve().parent == shipped and matrix.folder.resolve() != shipped


def expected_files(matrix: Matrix) -> tuple[Path, ...]:
    """The expectation files named by a matrix (``shipped``: the harness's), else the one in its folder."""
    if matrix.expected is None:
        default = matrix.folder / FILE_NAME
        return (default,) if default.exists() else ()
    named = (matrix.expected,) if isinstance(matrix.expected, str) else matrix.expected
    return tuple(
        shipped_matrices() / FILE_NAME if name == SHIPPED else matrix.folder / name for name in named
    )


def read_expected(path: Path) -> tuple[Expectation, ...]:
    """All expectations in a file, of any matrix.

    Raises:
        UsageError: the file is missing or invalid; every fault is listed.
    """
    expected = convert(read_toml(path), ExpectedFile, path).expected
    cases = every_case()
    matrices = [file.stem for file in matrix_files(path.parent)]
    faults = (
        f"{path}: expected[{at}].{fault}"
        for at, each in enumerate(expected)
        for fault in (*_faults(each, cases, matrices), *_repetition(at, expected))
    )
    if message := "\n".join(faults):
        raise UsageError(message)
    return expected


def every_case() -> tuple[str, ...]:
    """The id of every case that a cell can have to report, for any subject."""
    return tuple(case for check in load_checks() for case in check.cases(("subject", *SHIPPED_NORMALIZERS)))


def _faults(each: Expectation, cases: Collection[str], matrices: Collection[str]) -> Iterator[str]:
    yield from _faults_of_kind(each, cases)
    if not each.reason.strip():
        yield "reason: expected a text that is not blank; state why the divergence is expected"
    for name, specifier in each.where.items():
        if canonicalize_name(name) != name:
            yield f"where.{name}: expected the normalized name {canonicalize_name(name)!r}"
        if fault := specifier_fault(specifier):
            yield f"where.{name}: {fault}"
    for name in each.matrix:
        if name not in matrices:
            yield f"matrix: there is no matrix {name!r} in the folder of this file{suggest(name, matrices)}"


def _repetition(at: int, expected: Sequence[Expectation]) -> Iterator[str]:
    def scope(each: Expectation) -> Expectation:
        return msgspec.structs.replace(each, reason="", link="", check=None)

    own = expected[at]
    for first, each in enumerate(expected[:at]):
        if scope(each) != scope(own):
            continue
        shared = [check for check in own.checks if check in each.checks]
        if each.checks == own.checks:
            yield f"check: duplicate of expected[{first}]; delete one"
        elif shared:
            yield f"check: {shared[0]!r} is in expected[{first}] too; delete one"
        else:
            continue
        return


def _faults_of_kind(each: Expectation, cases: Collection[str]) -> Iterator[str]:
    if (each.check is None) is (each.status is None):
        yield "check: expected either check (a glob over case ids) or status (of the whole cell)"
    if each.check == ():
        yield "check: empty; name a glob over case ids"
    for check in each.checks:
        if not fnmatch.filter(cases, check):
            yield f"check: {check!r} matches no case{suggest(check, cases)}"
    for check in sorted(check for check, count in Counter(each.checks).items() if count > 1):
        yield f"check: {check!r} is listed twice; delete one"
    if each.status is not None and each.outcome != "fail":
        yield "outcome: this key is valid with check only; delete it"
    if each.status == "ok":
        yield "status: 'ok' is no divergence"


# Tolerances: ``tolerances.toml``.

TOLERANCES_NAME = "tolerances.toml"

Allowed = Annotated[
    float, msgspec.Meta(gt=0, le=1, description="a number above 0 and at most 1, such as 2e-6")
]
Measured = Annotated[float, msgspec.Meta(ge=0, le=1e6, description="a number from 0 to 1e6")]


class Tolerance(Table, frozen=True, kw_only=True):
    """An allowed value in ``unit``: its reason, the measured spread, and the value of the control model."""

    allowed: Allowed
    unit: Reason
    why: Reason
    spread: Measured | None = None
    control: Measured | None = None


class TolerancesFile(Table, frozen=True, kw_only=True):
    """A ``tolerances.toml``: ``[tolerance."<name>"]`` tables."""

    tolerance: dict[str, Tolerance]


def read_tolerances(path: Path) -> dict[str, Tolerance]:
    """The tolerances in a file, by name.

    Raises:
        UsageError: the file is missing or invalid, or names a tolerance that no check uses.
    """
    shipped = shipped_matrices() / TOLERANCES_NAME
    found = convert(read_toml(path), TolerancesFile, path).tolerance
    if path.resolve() == shipped.resolve():
        return found
    known = read_tolerances(shipped)
    if faults := [
        f"{path}: tolerance.{name}: no check uses it{suggest(name, known)}; known: {', '.join(known)}"
        for name in found
        if name not in known
    ]:
        raise UsageError("\n".join(faults))
    return found


def tolerances_of(matrix: Matrix) -> dict[str, Tolerance]:
    """The shipped tolerances, overridden by the file that the matrix names or by the one in its folder."""
    own = matrix.folder / (matrix.tolerances or TOLERANCES_NAME)
    shipped = shipped_matrices() / TOLERANCES_NAME
    files = dict.fromkeys(path.resolve() for path in (shipped, own) if path.exists())
    return {name: found for path in files for name, found in read_tolerances(path).items()}


def allowed_values(tolerances: dict[str, Tolerance]) -> dict[str, float]:
    """Name -> allowed value, as passed to a cell."""
    return {name: found.allowed for name, found in tolerances.items()}
