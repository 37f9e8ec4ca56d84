"""Delta debugging with three outcomes, and bisection over the releases of one package."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.records import LockChange, ReleaseSearch, ReleaseTrial, Trial, TrialOutcome
from harness.resolve.releases import Listed

Part = tuple[str, ...]
TryPart = Callable[[frozenset[str]], Awaitable[Trial]]
"""Applies a part of the changes and reports whether the symptoms occur."""

TryReduced = Callable[[frozenset[str], str], Awaitable[Trial]]
"""Takes one name out of the changes of a part, and with it only what requires it."""


@dataclass(frozen=True)
class Minimum:
    """A red part of which every name is necessary.

    Attributes:
        part: its names in the given order; empty if all names together are not red.
        whole: the outcome of all names together.
        doubtful: names that may be unnecessary: without them the outcome is unresolved.
        cut_off: the limit of trials was reached; ``part`` is red, but may be larger than necessary.
    """

    part: Part
    whole: TrialOutcome
    doubtful: Part = ()
    cut_off: bool = False


class _ExhaustedError(Exception):
    """No trial is left."""


@dataclass
class _Search:
    """The trials of one search, each run once, at most ``max_trials``; ``part`` is the smallest red one."""

    try_part: TryPart
    try_reduced: TryReduced
    parallel: int
    max_trials: int
    names: Part
    part: Part = ()
    known: dict[frozenset[str], Trial] = field(default_factory=dict)
    reduced: dict[tuple[frozenset[str], str], TrialOutcome] = field(default_factory=dict)

    def outcome(self, part: Iterable[str]) -> TrialOutcome | None:
        """The outcome of a part; None if it was not tried."""
        trial = self.known.get(frozenset(part))
        return None if trial is None else trial.outcome

    async def find_red(self, parts: Sequence[Part]) -> Part | None:
        """Find the first red part, with ``parallel`` trials at a time.

        Raises:
            _ExhaustedError: no trial is left, and no tried part is red.
        """
        for at in range(0, len(parts), self.parallel):
            batch = parts[at : at + self.parallel]
            await self._try(batch)
            for part in batch:
                if self.outcome(part) == "red":
                    return part
            if any(self.outcome(part) is None for part in batch):
                raise _ExhaustedError
        return None

    async def _try(self, parts: Sequence[Part]) -> None:
        new = [part for part in dict.fromkeys(map(frozenset, parts)) if part not in self.known]
        new = new[: max(0, self.max_trials - len(self.known) - len(self.reduced))]
        async with asyncio.TaskGroup() as group:
            tasks = {part: group.create_task(_wait_for(self.try_part(part))) for part in new}
        self.known |= {part: task.result() for part, task in tasks.items()}

    async def reduce(self, part: Part) -> None:
        """Ddmin: reduce the red ``part`` until no chunk can be removed."""
        self.part, pieces = part, 2
        while len(self.part) > 1:
            chunks = _split(self.part, pieces)
            rests = [_without(self.part, chunk) for chunk in chunks] if pieces > 2 else []
            found = await self.find_red([*chunks, *rests])
            if found is None and pieces >= len(self.part):
                return
            if found is None:
                pieces = min(len(self.part), 2 * pieces)
            else:
                pieces = 2 if found in chunks else max(2, pieces - 1)
                self.part = found

    async def find_smaller(self) -> Part | None:
        """Find a red part with fewer changes: transitive changes may be red without a name of the part."""
        moved = self._moved(self.part)
        for name in self.part if len(moved) > len(self.part) else ():
            if len(self.known) + len(self.reduced) >= self.max_trials:
                raise _ExhaustedError
            trial = await self.try_reduced(frozenset(self.part), name)
            self.reduced[frozenset(self.part), name] = trial.outcome
            rest = tuple(each.name for each in trial.moved if each.name in self.names)
            if trial.outcome == "red" and set(rest) < set(moved) and await self.find_red([rest]):
                return rest
        return None

    def _moved(self, part: Part) -> Part:
        """The names that a part changes, transitive changes included."""
        trial = self.known[frozenset(part)]
        changed = {*part, *(change.name for change in trial.moved)}
        return tuple(name for name in self.names if name in changed)

    def doubtful(self) -> Part:
        """Names without which the outcome is unresolved or was not tried."""
        return tuple(name for name in self.part if self._is_doubtful(name))

    def _is_doubtful(self, name: str) -> bool:
        rest, whole = _without(self.part, (name,)), frozenset(self.part)
        tried = [self.outcome(rest)] if rest else []
        if len(self._moved(self.part)) > len(self.part):
            tried.append(self.reduced.get((whole, name)))
        return any(outcome in {"unresolved", None} for outcome in tried)


async def _wait_for(trial: Awaitable[Trial]) -> Trial:
    return await trial


async def minimize(
    names: Sequence[str],
    try_part: TryPart,
    try_reduced: TryReduced,
    *,
    parallel: int = 1,
    max_trials: int = 40,
) -> Minimum:
    """Find a red part of ``names`` of which every name is necessary.

    Transitive changes (``Trial.moved``) count: a part with fewer of them is smaller. An unresolved part does
    not count as green; a name that may be unnecessary is doubtful in the result. The caller ensures that the
    empty part is green.

    Args:
        names: the changes; the search is shorter if related names are adjacent.
        try_part: runs a trial.
        try_reduced: runs a trial of the changes of a part without one name; only for transitive changes.
        parallel: number of trials at the same time.
        max_trials: largest number of trials, that of all names included.
    """
    whole = tuple(dict.fromkeys(names))
    search = _Search(try_part, try_reduced, parallel, max_trials, whole)
    if await search.find_red([whole]) is None:
        return Minimum((), search.known[frozenset(whole)].outcome)
    cut_off, smaller = False, whole
    try:
        while smaller:
            await search.reduce(smaller)
            smaller = await search.find_smaller() or ()
    except _ExhaustedError:
        cut_off = True
    return Minimum(search.part, "red", doubtful=search.doubtful(), cut_off=cut_off)


def _split(part: Part, pieces: int) -> list[Part]:
    """Split into ``pieces`` chunks of almost equal size."""
    edges = [len(part) * number // pieces for number in range(pieces + 1)]
    return [part[start:end] for start, end in itertools.pairwise(edges)]


def _without(part: Part, left_out: Part) -> Part:
    return tuple(name for name in part if name not in left_out)


# Bisect releases; unresolved releases are skipped.

TryRelease = Callable[[str], Awaitable[ReleaseTrial]]
"""Tries one release instead of the candidate's."""


async def bisect_releases(
    change: LockChange,
    listed: Listed,
    try_release: TryRelease,
    *,
    parallel: int = 1,
    max_trials: int = 24,
) -> ReleaseSearch:
    """Find the first bad release of a change; its version before is good, the one after is bad.

    Args:
        change: of a distribution that both sides have.
        listed: the releases in between.
        try_release: runs a trial.
        parallel: number of releases tried at the same time.
        max_trials: largest number of tried releases; untried ones between the ends count as skipped.
    """
    versions, gap = (change.before, *listed.versions, change.after), listed.gap
    good, bad = 0, len(versions) - 1
    known: dict[int, TrialOutcome] = {}
    tried: list[ReleaseTrial] = []
    while len(tried) < max_trials:
        open_ = [at for at in range(good + 1, bad) if at not in known]
        chosen = _choose_evenly(open_, min(parallel, max_trials - len(tried)))
        if not chosen:
            break
        trials = await _try_all([versions[at] for at in chosen], try_release)
        tried += trials
        known |= {at: trial.outcome for at, trial in zip(chosen, trials, strict=True)}
        good, bad = _narrow(known, good, bad)
    return ReleaseSearch(
        name=change.name,
        last_good=versions[good],
        first_bad=versions[bad],
        skipped=tuple(versions[good + 1 : bad]),
        unlisted=None if gap is None else (versions[gap], versions[gap + 1]),
        releases=len(versions),
        tried=tuple(tried),
    )


def _choose_evenly(places: Sequence[int], count: int) -> list[int]:
    """Choose up to ``count`` places that divide them into parts of almost equal size."""
    parts = count + 1
    return (
        list(dict.fromkeys(places[len(places) * cut // parts] for cut in range(1, parts))) if places else []
    )


async def _try_all(versions: Sequence[str], try_release: TryRelease) -> list[ReleaseTrial]:
    async def one(version: str) -> ReleaseTrial:
        return await try_release(version)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(version)) for version in versions]
    return [task.result() for task in tasks]


def _narrow(known: Mapping[int, TrialOutcome], good: int, bad: int) -> tuple[int, int]:
    """The new ends: the lowest bad place, and the highest good place below it."""
    bad = min((at for at, outcome in known.items() if good < at < bad and outcome == "red"), default=bad)
    good = max((at for at, outcome in known.items() if good < at < bad and outcome == "green"), default=good)
    return good, bad
