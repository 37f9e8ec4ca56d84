"""Where an upgrade has no solution: the fewest further upgrades that give it one, found with the resolver."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from packaging.requirements import Requirement

from harness.gate.request import Compared, exact_versions
from harness.gate.sides import is_lower, versions_of
from harness.matrix.schema import Matrix
from harness.records import FurtherChange, FurtherChanges, Lock
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.resolve import Guidance, resolve, without_upload_date

MOST_CALLS = 40
"""How often the resolver is asked at most; about a second each."""


@dataclass
class _Search:
    """The resolver, asked for the candidate with some of its other requirements free to go up."""

    compared: Compared
    matrix: Matrix
    settings: IndexSettings
    most: int
    calls: int = 0
    floors: dict[str, str] = field(default_factory=dict)  # name -> version that it must not go below

    async def ask(self, released: Iterable[str], *, lowest: bool = False) -> Lock:
        """The lock with these released."""
        self.calls += 1
        names = set(released)
        side = self.compared.candidate
        asked = {name: self._released(name) if name in names else text for name, text in side.asked.items()}
        freed = msgspec.structs.replace(side, tested=asked, held={})
        preferred = {n: v for n, v in self.compared.guidance.preferred.items() if n not in names}
        guidance = Guidance(preferred={} if lowest else preferred, lowest=lowest)
        return await resolve(freed.to_cell("candidate"), self.matrix, self.settings, guidance)

    def _released(self, name: str) -> str:
        asked = Requirement(self.compared.candidate.asked[name])
        extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
        floor = self.floors.get(name, "").partition("+")[0]
        return f"{name}{extras}>={floor}" if floor else f"{name}{extras}"

    @property
    def spent(self) -> bool:
        """Whether the resolver was asked often enough."""
        return self.calls >= self.most


async def find_further_changes(
    compared: Compared, matrix: Matrix, settings: IndexSettings, *, most: int = MOST_CALLS
) -> FurtherChanges:
    """The smallest set of further upgrades with which the candidate has a solution.

    First everything is released: where that does not help, nothing will. What was asked for is released too,
    upwards, where several were: a file may pin one of them too low for another. Then one after the other,
    then pairs, those first that had to move when all were free; where no pair does it, all that had to move
    are named, which need not be the smallest set.

    Raises:
        UsageError, MachineError: as ``resolve``.
    """
    side, wished = compared.candidate, exact_versions(compared.candidate, compared.asked)
    floors = versions_of(compared.before) | wished
    search = _Search(compared, without_upload_date(matrix), settings, most, floors=floors)
    free = sorted(name for name in side.asked if name not in compared.asked or name in side.held)
    if len(compared.asked & side.tested.keys()) > 1:  # of one alone another version is no further change
        free += sorted(wished.keys() & side.tested.keys())
    whole = await search.ask(free)
    if whole.reason or not free:
        return FurtherChanges(calls=search.calls)
    found = versions_of(whole)
    moved = [name for name in free if _moves(found.get(name, ""), floors.get(name, ""))]
    ordered = [*moved, *(name for name in free if name not in moved)]
    for names in (*((name,) for name in ordered), *itertools.combinations(ordered, 2)):
        if search.spent:
            break
        lock = await search.ask(names)
        if not lock.reason:
            changes = await _name_changes(search, names, lock)
            return FurtherChanges(changes=changes, smallest=True, calls=search.calls)
    changes = await _name_changes(search, moved, whole)
    return FurtherChanges(changes=changes, smallest=False, calls=search.calls)


def _moves(after: str, before: str) -> bool:
    return bool(after) and (not before or is_lower(before, after))


async def _name_changes(search: _Search, names: Iterable[str], lock: Lock) -> tuple[FurtherChange, ...]:
    """What the released ones became, and the lowest versions that do as well."""
    lowest, newest = versions_of(await search.ask(names, lowest=True)), versions_of(lock)
    asked = search.compared.candidate.asked
    return tuple(
        FurtherChange(
            name=name,
            held=asked[name],
            lowest=lowest.get(name, newest.get(name, "")),
            newest=newest.get(name, ""),
        )
        for name in names
    )
