"""Find the fewest further upgrades that give an upgrade without a solution one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from packaging.requirements import Requirement

from harness.gate.request import Comparison, exact_versions
from harness.gate.sides import is_lower, versions_of
from harness.matrix.schema import Matrix
from harness.records import FurtherChange, FurtherChanges, Lock
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve, without_upload_date

MAX_CALLS = 40
"""Largest number of resolver calls; each takes about a second."""


@dataclass
class _Search:
    """Resolves the candidate with some of its other requirements freed upwards."""

    comparison: Comparison
    matrix: Matrix
    settings: IndexSettings
    max_calls: int
    calls: int = 0
    floors: dict[str, str] = field(default_factory=dict)  # name -> lowest allowed version

    async def resolve_with(self, freed: Iterable[str], *, lowest: bool = False) -> Lock:
        """Resolve with these requirements freed."""
        self.calls += 1
        names = set(freed)
        side = self.comparison.candidate
        asked = {name: self._free(name) if name in names else text for name, text in side.asked.items()}
        freed_side = msgspec.structs.replace(side, tested=asked, held={})
        preferred = {n: v for n, v in self.comparison.guidance.preferred.items() if n not in names}
        guidance = Guidance(preferred={} if lowest else preferred, lowest=lowest)
        return await resolve(freed_side.to_cell("candidate"), self.matrix, self.settings, guidance)

    def _free(self, name: str) -> str:
        asked = Requirement(self.comparison.candidate.asked[name])
        extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
        floor = self.floors.get(name, "").partition("+")[0]
        return f"{name}{extras}>={floor}" if floor else f"{name}{extras}"

    @property
    def exhausted(self) -> bool:
        """Whether no resolver call is left."""
        return self.calls >= self.max_calls


async def find_further_changes(
    comparison: Comparison, matrix: Matrix, settings: IndexSettings, *, max_calls: int = MAX_CALLS
) -> FurtherChanges:
    """Find the smallest set of further upgrades with which the candidate has a solution.

    The first call frees all requirements; without a solution there, none exists. Several direct changes are
    freed upwards too: a file may pin one of them too low for another. Then single requirements are freed,
    then pairs, first those that changed in the first call. If no pair is enough, the result has all that
    changed, which may not be the smallest set.

    Raises:
        UsageError, MachineError: as ``resolve``.
    """
    side, exact = comparison.candidate, exact_versions(comparison.candidate, comparison.asked)
    floors = versions_of(comparison.before) | exact
    search = _Search(comparison, without_upload_date(matrix), settings, max_calls, floors=floors)
    candidates = sorted(name for name in side.asked if name not in comparison.asked or name in side.held)
    if len(comparison.asked & side.tested.keys()) > 1:  # for one, another version is no further change
        candidates += sorted(exact.keys() & side.tested.keys())
    all_free = await search.resolve_with(candidates)
    if all_free.reason or not candidates:
        return FurtherChanges(calls=search.calls)
    found = versions_of(all_free)
    risen = [name for name in candidates if _rises(found.get(name, ""), floors.get(name, ""))]
    ordered = [*risen, *(name for name in candidates if name not in risen)]
    for names in (*((name,) for name in ordered), *itertools.combinations(ordered, 2)):
        if search.exhausted:
            break
        lock = await search.resolve_with(names)
        if not lock.reason:
            changes = await _list_changes(search, names, lock)
            return FurtherChanges(changes=changes, smallest=True, calls=search.calls)
    changes = await _list_changes(search, risen, all_free)
    return FurtherChanges(changes=changes, smallest=False, calls=search.calls)


def _rises(after: str, before: str) -> bool:
    return bool(after) and (not before or is_lower(before, after))


async def _list_changes(search: _Search, names: Iterable[str], lock: Lock) -> tuple[FurtherChange, ...]:
    """The versions of the freed requirements, and the lowest versions that are enough."""
    lowest, newest = versions_of(await search.resolve_with(names, lowest=True)), versions_of(lock)
    asked = search.comparison.candidate.asked
    return tuple(
        FurtherChange(
            name=name,
            held=asked[name],
            lowest=lowest.get(name, newest.get(name, "")),
            newest=newest.get(name, ""),
        )
        for name in names
    )
