"""What a gate compares: the environment that is there, and the one that an upgrade would make of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from harness.errors import NoSolutionError, UsageError
from harness.gate.sides import (
    Side,
    change_side,
    is_lower,
    side_of_file,
    side_of_matrix,
    side_of_pins,
    versions_of,
)
from harness.matrix.cells import cells_of
from harness.matrix.schema import Matrix, parse_requirement
from harness.records import Lock
from harness.resolve.dependency_file import EnvironmentFile, read_environment_file
from harness.resolve.indexes import check_indexes
from harness.resolve.locks import refuse_lacking
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve, without_upload_date
from harness.sweep.planning import locks_for


class UpgradeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for: requirements to change, or files (paths, or ``REV:path``).

    ``allow_equal``: a pipeline asks whatever a pull request changes, and two equal environments are no fault.
    """

    changes: tuple[str, ...] = ()
    from_file: str | None = None
    to_file: str | None = None
    allow_equal: bool = False


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides and their locks.

    ``asked`` are the names that the candidate asks for differently; ``pinned`` are those among them that
    its file pins only because others need them.
    """

    baseline: Side
    before: Lock
    candidate: Side
    after: Lock
    asked: frozenset[str]
    pinned: frozenset[str] = frozenset()
    guidance: Guidance


async def compare(wish: UpgradeRequest, matrix: Matrix, settings: IndexSettings, cwd: Path) -> Compared:
    """Resolve both environments; a candidate without a solution has a lock with the reason.

    What the candidate does not ask for stays as it is in the baseline wherever the resolver has the choice.
    What is under test may not go down. What else a file pins may, for the resolver that made the file had
    its reasons; it is noted.

    Raises:
        UsageError: a file or a change that breaks a rule, a downgrade, or two equal environments
            that are not allowed.
        NoSolutionError: the baseline has no solution.
        MachineError: uv, git or the network failed.
    """
    changes = parse_changes(wish)
    anyhow = without_upload_date(matrix)
    from_file, to_file = await _read_files(wish, matrix, cwd)  # before the network is asked
    settings = await check_indexes(settings, cells_of(matrix))
    baseline, before = await _baseline(from_file, matrix, settings)
    if before.reason:
        raise NoSolutionError(f"the baseline ({baseline.label}) has no solution: {before.reason}")
    there = versions_of(before)
    if to_file is None:
        candidate, asked = change_side(baseline, changes, there), frozenset(changes)
    else:
        candidate, asked = await _candidate_of(to_file, baseline, anyhow, settings)
    tested = frozenset((*candidate.tested, *changes)) & asked
    refuse_downgrades(exact_versions(candidate, tested), there, tested)
    kept = {name: version for name, version in there.items() if name not in asked}
    guidance = Guidance(preferred=kept, origins=candidate.origins)
    after = await resolve(candidate.to_cell("candidate"), anyhow, settings, guidance)
    refuse_downgrades(versions_of(after), there, tested)
    if after.digest == before.digest and not wish.allow_equal:
        raise _same_environment(baseline, candidate)
    pinned = asked & candidate.held.keys()
    lower = _describe_lower(candidate, versions_of(after), there, pinned)
    return Compared(
        baseline=baseline,
        before=before,
        candidate=msgspec.structs.replace(candidate, notes=(*candidate.notes, *lower)),
        after=after,
        asked=asked,
        pinned=pinned,
        guidance=guidance,
    )


def _same_environment(baseline: Side, candidate: Side) -> UsageError:
    return UsageError(
        f"{baseline.label} and {candidate.label} are the same environment, so there is nothing to judge; "
        "`harness gate --allow-equal` makes a pass of that"
    )


async def _read_files(
    wish: UpgradeRequest, matrix: Matrix, cwd: Path
) -> tuple[EnvironmentFile | None, EnvironmentFile | None]:
    """The files of both sides, for the Python of the matrix."""
    python = (side_of_matrix(matrix) if wish.from_file is None else side_of_pins(matrix)).python
    paths = (wish.from_file, wish.to_file)
    read = [None if path is None else await read_environment_file(path, python, cwd) for path in paths]
    return read[0], read[1]


async def _candidate_of(
    file: EnvironmentFile, baseline: Side, matrix: Matrix, settings: IndexSettings
) -> tuple[Side, frozenset[str]]:
    """The candidate of a file, and the distributions that it asks for in another way."""
    candidate = await side_of_file(file, matrix, settings, otherwise=baseline)
    asked = frozenset(name for name, text in candidate.asked.items() if text != baseline.asked.get(name))
    return candidate, asked


def _describe_lower(
    side: Side, after: Mapping[str, str], before: Mapping[str, str], pinned: Collection[str]
) -> list[str]:
    """Tell of each pin of a file that goes down."""
    return [
        f"{name} {before[name]} -> {after[name]} is a downgrade, pinned by {side.label}: judged with the rest"
        for name in sorted(pinned)
        if name in after and name in before and is_lower(after[name], before[name])
    ]


async def _baseline(
    file: EnvironmentFile | None, matrix: Matrix, settings: IndexSettings
) -> tuple[Side, Lock]:
    if file is None:
        side = side_of_matrix(matrix)
        cell = next(each for each in cells_of(matrix) if each.baseline)
        return side, (await locks_for([cell], matrix, settings))[0]
    side = side_of_pins(matrix)
    found = await side_of_file(file, without_upload_date(matrix), settings, otherwise=side)
    lock = await resolve(
        found.to_cell("baseline"), without_upload_date(matrix), settings, Guidance(origins=found.origins)
    )
    refuse_lacking(matrix, [lock])  # a candidate that loses one of them is news, not a fault of the matrix
    return found, lock


def parse_changes(wish: UpgradeRequest) -> dict[str, str]:
    """Name -> requirement of the changes asked for.

    Raises:
        UsageError: nothing is asked for, too much, or something that is no requirement.
    """
    if wish.to_file is not None and wish.changes:
        raise UsageError(f"--to {wish.to_file} says what the candidate is; leave out the changes")
    if wish.to_file is None and not wish.changes:
        raise UsageError("which upgrade? Name a change such as numpy==2.4.6, or a file with --to FILE")
    found: dict[str, str] = {}
    for text in wish.changes:
        try:
            asked = parse_requirement(text)
        except ValueError as error:
            said = str(error).partition(": ")[2] or error
            raise UsageError(f"{text[:80]!r} is not a change such as numpy==2.4.6: {said}") from None
        name = canonicalize_name(asked.name)
        if name in found or asked.url is not None or asked.marker is not None:
            raise UsageError(f"{text!r}: name each package once, with a version: {name}==1.2")
        extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
        found[name] = f"{name}{extras}{asked.specifier}"
    return found


def exact_versions(side: Side, names: Collection[str]) -> dict[str, str]:
    """Name -> version of what is asked for exactly."""
    pinned = {}
    for name in names:
        specifiers = list(SpecifierSet(str(Requirement(side.asked[name]).specifier)))
        if len(specifiers) == 1 and specifiers[0].operator == "==" and "*" not in specifiers[0].version:
            pinned[name] = specifiers[0].version
    return pinned


def refuse_downgrades(after: Mapping[str, str], before: Mapping[str, str], names: Collection[str]) -> None:
    """See that nothing that was asked for goes down; what is dragged along may.

    Raises:
        UsageError: it does.
    """
    for name in sorted(names):
        if name in after and name in before and is_lower(after[name], before[name]):
            raise UsageError(
                f"{name} {before[name]} -> {after[name]} is a downgrade, and the gate judges upgrades; "
                "swap baseline and candidate, or correct the version"
            )
