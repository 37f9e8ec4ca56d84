"""Read the request of a gate, and resolve the two environments that it compares."""

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
from harness.judge.cell_verdicts import advise_source
from harness.matrix.cells import cells_of
from harness.matrix.requirement import parse_requirement
from harness.matrix.schema import Matrix
from harness.records import Lock
from harness.resolve.dependency_file import EnvironmentFile, read_environment_file
from harness.resolve.indexes import check_indexes
from harness.resolve.locks import refuse_lacking
from harness.resolve.packages import Choice
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve, without_upload_date
from harness.sweep.planning import locks_for


class UpgradeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The requested upgrade: requirements to change, or files (paths, or ``REV:path``).

    ``choice`` are the extras and groups of the files that are locks.
    ``allow_equal`` accepts equal environments, for pipelines that run on every pull request.
    """

    changes: tuple[str, ...] = ()
    from_file: str | None = None
    to_file: str | None = None
    choice: Choice = Choice()
    allow_equal: bool = False


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides and their locks.

    ``asked`` are the names of direct changes; ``pinned`` are those among them that are not under test, but
    pinned by the file of the candidate.
    """

    baseline: Side
    before: Lock
    candidate: Side
    after: Lock
    asked: frozenset[str]
    pinned: frozenset[str] = frozenset()
    guidance: Guidance


async def compare(upgrade: UpgradeRequest, matrix: Matrix, settings: IndexSettings, cwd: Path) -> Comparison:
    """Resolve both environments; a candidate without a solution has a lock with the reason.

    Other distributions keep their version of the baseline if the resolver has the choice. A downgrade of a
    package under test is refused. A downgrade of another pin of a file is noted: the file may require it.

    Raises:
        UsageError: a file or a change is invalid, or a downgrade, or the environments are equal.
        NoSolutionError: the baseline has no solution.
        MachineError: uv, git or the network failed.
    """
    changes = parse_changes(upgrade)
    undated = without_upload_date(matrix)
    from_file, to_file = await _read_files(upgrade, matrix, cwd)  # errors in files come before network access
    settings = await check_indexes(settings, cells_of(matrix))
    baseline, before = await _resolve_baseline(from_file, matrix, settings)
    if before.reason:
        because = " ".join(filter(None, (before.reason, advise_source(before.reason))))
        raise NoSolutionError(f"the baseline ({baseline.label}) has no solution: {because}")
    installed = versions_of(before)
    if to_file is None:
        candidate, asked = change_side(baseline, changes, installed), frozenset(changes)
    else:
        candidate, asked = await _read_candidate(to_file, baseline, undated, settings)
    tested = frozenset((*candidate.tested, *changes)) & asked
    refuse_downgrades(exact_versions(candidate, tested), installed, tested)
    unchanged = {name: version for name, version in installed.items() if name not in asked}
    guidance = Guidance(preferred=unchanged, origins=candidate.origins)
    after = await resolve(candidate.to_cell("candidate"), undated, settings, guidance)
    refuse_downgrades(versions_of(after), installed, tested)
    if after.digest == before.digest and not upgrade.allow_equal:
        raise _equal_environments(baseline, candidate)
    pinned = asked & candidate.held.keys()
    downgrades = _describe_downgrades(candidate, versions_of(after), installed, pinned)
    return Comparison(
        baseline=baseline,
        before=before,
        candidate=msgspec.structs.replace(candidate, notes=(*candidate.notes, *downgrades)),
        after=after,
        asked=asked,
        pinned=pinned,
        guidance=guidance,
    )


def _equal_environments(baseline: Side, candidate: Side) -> UsageError:
    return UsageError(
        f"{baseline.label} and {candidate.label} are the same environment, so there is nothing to judge; "
        "`harness gate --allow-equal` accepts this"
    )


async def _read_files(
    upgrade: UpgradeRequest, matrix: Matrix, cwd: Path
) -> tuple[EnvironmentFile | None, EnvironmentFile | None]:
    """Read the files of both sides for the Python of the matrix; the faults of both are listed."""
    python = (side_of_matrix(matrix) if upgrade.from_file is None else side_of_pins(matrix)).python
    read: list[EnvironmentFile | None] = []
    faults: list[str] = []
    for path in (upgrade.from_file, upgrade.to_file):
        try:
            found = None if path is None else await read_environment_file(path, python, cwd, upgrade.choice)
            read.append(found)
        except UsageError as error:
            faults.append(str(error))
    if faults:
        raise UsageError("\n".join(dict.fromkeys(faults)))
    return read[0], read[1]


async def _read_candidate(
    file: EnvironmentFile, baseline: Side, matrix: Matrix, settings: IndexSettings
) -> tuple[Side, frozenset[str]]:
    """The candidate of a file, and the names of its direct changes."""
    candidate = await side_of_file(file, matrix, settings, default=baseline)
    asked = frozenset(name for name, text in candidate.asked.items() if text != baseline.asked.get(name))
    return candidate, asked


def _describe_downgrades(
    side: Side, after: Mapping[str, str], before: Mapping[str, str], pinned: Collection[str]
) -> list[str]:
    """Describe each downgrade that a file pins."""
    return [
        f"{name} {before[name]} -> {after[name]} is a downgrade, pinned by {side.label}; it is judged too"
        for name in sorted(pinned)
        if name in after and name in before and is_lower(after[name], before[name])
    ]


async def _resolve_baseline(
    file: EnvironmentFile | None, matrix: Matrix, settings: IndexSettings
) -> tuple[Side, Lock]:
    if file is None:
        side = side_of_matrix(matrix)
        cell = next(each for each in cells_of(matrix) if each.baseline)
        return side, (await locks_for([cell], matrix, settings))[0]
    side = side_of_pins(matrix)
    found = await side_of_file(file, without_upload_date(matrix), settings, default=side)
    lock = await resolve(
        found.to_cell("baseline"), without_upload_date(matrix), settings, Guidance(origins=found.origins)
    )
    refuse_lacking(matrix, [lock])  # only the baseline: a loss in the candidate is a finding
    return found, lock


def parse_changes(upgrade: UpgradeRequest) -> dict[str, str]:
    """Parse the requested changes: name -> requirement.

    Raises:
        UsageError: there is no change, changes and a file, or an invalid requirement.
    """
    if upgrade.to_file is not None and upgrade.changes:
        raise UsageError(f"--to {upgrade.to_file} defines the candidate; remove the changes")
    if upgrade.choice.options and upgrade.from_file is None and upgrade.to_file is None:
        raise UsageError(f"{upgrade.choice.options[0]} chooses from a lock; name it with --from or --to")
    if upgrade.to_file is None and not upgrade.changes:
        raise UsageError("no upgrade; name a change such as numpy==2.4.6, or a file with --to FILE")
    found: dict[str, str] = {}
    for text in upgrade.changes:
        try:
            asked = parse_requirement(text)
        except ValueError as error:
            reason = str(error).partition(": ")[2] or error
            raise UsageError(f"{text[:80]!r} is not a change such as numpy==2.4.6: {reason}") from None
        name = canonicalize_name(asked.name)
        if name in found or asked.url is not None or asked.marker is not None:
            raise UsageError(f"{text!r}: name each package once, with a version: {name}==1.2")
        extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
        found[name] = f"{name}{extras}{asked.specifier}"
    return found


def exact_versions(side: Side, names: Collection[str]) -> dict[str, str]:
    """Name -> version of the requirements that allow one version only."""
    pinned = {}
    for name in names:
        specifiers = list(SpecifierSet(str(Requirement(side.asked[name]).specifier)))
        if len(specifiers) == 1 and specifiers[0].operator == "==" and "*" not in specifiers[0].version:
            pinned[name] = specifiers[0].version
    return pinned


def refuse_downgrades(after: Mapping[str, str], before: Mapping[str, str], names: Collection[str]) -> None:
    """Refuse a downgrade of any of these names.

    Raises:
        UsageError: there is one.
    """
    for name in sorted(names):
        if name in after and name in before and is_lower(after[name], before[name]):
            raise UsageError(
                f"{name} {before[name]} -> {after[name]} is a downgrade, and the gate judges upgrades; "
                "swap baseline and candidate, or correct the version"
            )
