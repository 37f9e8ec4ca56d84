"""Known divergences: which expectation applies to which case or cell, and which apply to nothing."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Expectation, Plan, PlannedCell


def cell_versions(planned: PlannedCell) -> dict[str, str]:
    """Every version that a ``where`` can speak of: the lock, the axes where there is no lock, ``python``.

    The local part of a version (``+cpu``) is left out: it tells the build, not the release.
    """
    known = {**planned.cell.axes, **{entry.name: entry.version for entry in planned.lock.distributions}}
    known["python"] = planned.cell.python
    return {name: version.split("+", 1)[0] for name, version in known.items()}


def satisfies(versions: dict[str, str], where: dict[str, str]) -> bool:
    """Tell whether every distribution named by ``where`` is there in a version that it asks for."""
    return all(name in versions and _contains(specifier, versions[name]) for name, specifier in where.items())


def _contains(specifier: str, version: str) -> bool:
    try:
        wanted = SpecifierSet(specifier)
    except InvalidSpecifier as error:
        raise UsageError(f"expectation: where: {error}; write one like '>=2.0,<3'") from error
    try:
        return wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False  # the resolver's versions always parse; what does not parse satisfies nothing


def of_matrix(plan: Plan) -> tuple[Expectation, ...]:
    """The expectations that belong to the matrix of this plan, its own first."""
    known = (*plan.expectations, *plan.borrowed)
    return tuple(each for each in known if not each.matrix or plan.matrix in each.matrix)


def of_cell(expectations: Sequence[Expectation], planned: PlannedCell) -> tuple[Expectation, ...]:
    """Those whose ``where`` the cell satisfies."""
    versions = cell_versions(planned)
    return tuple(each for each in expectations if satisfies(versions, each.where))


def for_case(
    expectations: Sequence[Expectation], case: str, outcome: str | None = None
) -> Expectation | None:
    """The first expectation of a cell whose glob covers the case; one of another red ``outcome`` does not."""
    for each in expectations:
        if each.check is None or not fnmatchcase(case, each.check):
            continue
        if outcome not in {"fail", "error"} or each.outcome == outcome:
            return each
    return None


def describe_expectation(expectation: Expectation) -> str:
    """One line that names it: what is expected, where."""
    what = expectation.check if expectation.check is not None else f"status {expectation.status}"
    where = ", ".join(f"{name}{specifier}" for name, specifier in sorted(expectation.where.items()))
    return f"{what} where {where}" if where else what


def find_stale(plan: Plan) -> tuple[str, ...]:
    """Expectations that apply to no cell and no case of the plan; a subset of the cells tells nothing.

    Borrowed ones are not asked: they speak of versions that somebody's own matrix need not have.
    """
    if plan.subset:
        return ()
    stale = []
    for each in of_matrix(plan):
        if each in plan.borrowed:
            continue
        cells = [planned for planned in plan.cells if of_cell((each,), planned)]
        if each.check is not None:
            cells = [planned for planned in cells if any(for_case((each,), case) for case in planned.cases)]
        if not cells:
            stale.append(describe_expectation(each))
    return tuple(stale)
