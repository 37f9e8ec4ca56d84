"""Tell which cells and cases expectations cover, and which expectations are stale."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Expectation, Plan, PlannedCell


def cell_versions(planned: PlannedCell) -> dict[str, str]:
    """Versions that a ``where`` can name: of the lock (without a lock, of the axes) and ``python``.

    The local part of a version (``+cpu``) is removed: it names the build, not the release.
    """
    known = {**planned.cell.axes, **{entry.name: entry.version for entry in planned.lock.distributions}}
    known["python"] = planned.cell.python
    return {name: version.split("+", 1)[0] for name, version in known.items()}


def satisfies(versions: dict[str, str], where: dict[str, str]) -> bool:
    """Tell whether every distribution in ``where`` is present in a matching version.

    Raises:
        UsageError: a specifier is invalid.
    """
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


def select_expectations(plan: Plan) -> tuple[Expectation, ...]:
    """Select the expectations for the matrix of this plan, its own first."""
    known = (*plan.expectations, *plan.borrowed)
    return tuple(each for each in known if not each.matrix or plan.matrix in each.matrix)


def filter_for_cell(expectations: Sequence[Expectation], planned: PlannedCell) -> tuple[Expectation, ...]:
    """Select the expectations whose ``where`` the cell satisfies."""
    versions = cell_versions(planned)
    return tuple(each for each in expectations if satisfies(versions, each.where))


def find_expectation(
    expectations: Sequence[Expectation], case: str, outcome: str | None = None
) -> Expectation | None:
    """Find the first expectation that covers the case; a red ``outcome`` has to be the expected one."""
    for each in expectations:
        if not any(fnmatchcase(case, check) for check in each.checks):
            continue
        if outcome not in {"fail", "error"} or each.outcome == outcome:
            return each
    return None


def describe_expectation(expectation: Expectation) -> str:
    """Describe an expectation in one line: what is expected, and where."""
    what = ", ".join(expectation.checks) or f"status {expectation.status}"
    where = describe_where(expectation)
    return f"{what} where {where}" if where else what


def describe_where(expectation: Expectation) -> str:
    """The versions of an expectation in one line; empty if it holds everywhere."""
    return ", ".join(f"{name}{specifier}" for name, specifier in sorted(expectation.where.items()))


def find_stale(plan: Plan) -> tuple[str, ...]:
    """Find expectations that apply to no cell and no case; none if the plan is a subset.

    For an expectation with several globs, only the unused globs are stale. Borrowed expectations are exempt:
    the matrix of a user need not have their versions.
    """
    if plan.subset:
        return ()
    stale = []
    for each in select_expectations(plan):
        if each in plan.borrowed:
            continue
        cells = [planned for planned in plan.cells if filter_for_cell((each,), planned)]
        cases = {case for planned in cells for case in planned.cases}
        unused = tuple(check for check in each.checks if not any(fnmatchcase(case, check) for case in cases))
        if unused or (each.check is None and not cells):
            stale.append(describe_expectation(msgspec.structs.replace(each, check=unused or None)))
    return tuple(stale)
