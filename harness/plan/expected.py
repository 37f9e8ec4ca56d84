"""Read the known divergences and check each: a check that exists, a status, a range of versions."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from packaging.utils import canonicalize_name

from harness.cell.catalogue import SHIPPED_NORMALIZERS, load_checks
from harness.errors import UsageError
from harness.plan.data import shipped_matrices
from harness.plan.matrix import matrix_files
from harness.plan.schema import SHIPPED, Matrix, Table
from harness.plan.toml_file import convert, read_toml, suggest
from harness.plan.versions import specifier_fault
from harness.records import Expectation

FILE_NAME = "expected.toml"


class ExpectedFile(Table, frozen=True, kw_only=True):
    """The file: ``[[expected]]`` tables."""

    schema: Literal[1] = 1
    expected: tuple[Expectation, ...] = ()


def expectations_for(matrix: Matrix) -> tuple[Expectation, ...]:
    """The expectations that belong to a matrix, in the order of its files.

    Raises:
        UsageError: one breaks a rule; every fault of the file is named.
    """
    return _read_all(matrix, [path for path in expected_files(matrix) if not _is_borrowed(path, matrix)])


def borrowed_for(matrix: Matrix) -> tuple[Expectation, ...]:
    """The shipped expectations that a matrix of somebody's own takes over.

    They speak of versions that it need not have, so one that matches nothing there is no fault.

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
    """The files that a matrix names (``shipped``: the harness's own), else the one beside it, if any."""
    if matrix.expected is None:
        beside = matrix.folder / FILE_NAME
        return (beside,) if beside.exists() else ()
    named = (matrix.expected,) if isinstance(matrix.expected, str) else matrix.expected
    return tuple(
        shipped_matrices() / FILE_NAME if name == SHIPPED else matrix.folder / name for name in named
    )


def read_expected(path: Path) -> tuple[Expectation, ...]:
    """The expectations in a file, all of them, whichever matrix they belong to.

    Raises:
        UsageError: the file is missing, or breaks a rule; every fault is named.
    """
    expected = convert(read_toml(path), ExpectedFile, path).expected
    cases = every_case()
    matrices = [file.stem for file in matrix_files(path.parent)]
    faults = (
        f"{path}: expected[{at}].{fault}"
        for at, each in enumerate(expected)
        for fault in (*_faults(each, cases, matrices), *_repetition(at, expected))
    )
    if told := "\n".join(faults):
        raise UsageError(told)
    return expected


def every_case() -> tuple[str, ...]:
    """The id of every case that any cell can owe, a subject of the user's own included."""
    return tuple(case for check in load_checks() for case in check.cases(("subject", *SHIPPED_NORMALIZERS)))


def _faults(each: Expectation, cases: Collection[str], matrices: Collection[str]) -> Iterator[str]:
    yield from _faults_of_kind(each, cases)
    if not each.reason.strip():
        yield "reason: it is empty; say why this is expected"
    for name, specifier in each.where.items():
        if canonicalize_name(name) != name:
            yield f"where.{name}: write it {canonicalize_name(name)!r}"
        if fault := specifier_fault(specifier):
            yield f"where.{name}: {fault}"
    for name in each.matrix:
        if name not in matrices:
            yield f"matrix: there is no matrix {name!r} beside this file{suggest(name, matrices)}"


def _repetition(at: int, expected: Sequence[Expectation]) -> Iterator[str]:
    def asked(each: Expectation) -> Expectation:
        return msgspec.structs.replace(each, reason="", link="")

    first = next(number for number, each in enumerate(expected) if asked(each) == asked(expected[at]))
    if first != at:
        yield f"check: the same as expected[{first}]; delete one"


def _faults_of_kind(each: Expectation, cases: Collection[str]) -> Iterator[str]:
    if (each.check is None) is (each.status is None):
        yield "check: say either check (a glob over case ids) or status (of the whole cell)"
    if each.check is not None and not fnmatch.filter(cases, each.check):
        yield f"check: {each.check!r} matches no case{suggest(each.check, cases)}"
    if each.status is not None and each.outcome != "fail":
        yield "outcome: it is that of a check; with status it says nothing"
    if each.status == "ok":
        yield "status: 'ok' is no divergence"
