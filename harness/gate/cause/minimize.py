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
"""Applies a part of the changes, and says whether what is looked for comes up."""

TryLess = Callable[[frozenset[str], str], Awaitable[Trial]]
"""Takes one name back out of what a part moves, and with it only what cannot stay without it."""


@dataclass(frozen=True)
class Minimum:
    """What is left when nothing more can be left out.

    Attributes:
        part: the names that are left, in the order in which they were given; empty where all of them
            together are not red.
        whole: the outcome of all of them together.
        doubtful: names of which nobody knows whether they are needed: without them there was no answer.
        cut_off: the trials were used up before that; ``part`` is red, and may be larger than need be.
    """

    part: Part
    whole: TrialOutcome
    doubtful: Part = ()
    cut_off: bool = False


class _SpentError(Exception):
    """No trial is left."""


@dataclass
class _Search:
    """The trials of one search: none twice, and no more than ``most``; ``part`` is the best so far."""

    try_part: TryPart
    try_less: TryLess
    at_once: int
    most: int
    names: Part
    part: Part = ()
    known: dict[frozenset[str], Trial] = field(default_factory=dict)
    less: dict[tuple[frozenset[str], str], TrialOutcome] = field(default_factory=dict)

    def outcome(self, part: Iterable[str]) -> TrialOutcome | None:
        """What came of a part; None where it was not tried."""
        trial = self.known.get(frozenset(part))
        return None if trial is None else trial.outcome

    async def find_red(self, parts: Sequence[Part]) -> Part | None:
        """The first of these that is red; trials are made ``at_once``, and those behind it are spared.

        Raises:
            _SpentError: no trial is left, and none of those made was red.
        """
        for at in range(0, len(parts), self.at_once):
            some = parts[at : at + self.at_once]
            await self._try(some)
            for part in some:
                if self.outcome(part) == "red":
                    return part
            if any(self.outcome(part) is None for part in some):
                raise _SpentError
        return None

    async def _try(self, parts: Sequence[Part]) -> None:
        new = [part for part in dict.fromkeys(map(frozenset, parts)) if part not in self.known]
        new = new[: max(0, self.most - len(self.known) - len(self.less))]
        async with asyncio.TaskGroup() as group:
            tasks = {part: group.create_task(_await(self.try_part(part))) for part in new}
        self.known |= {part: task.result() for part, task in tasks.items()}

    async def reduce(self, part: Part) -> None:
        """Ddmin: make ``part``, which is red, as small as it gets."""
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

    async def find_fewer(self) -> Part | None:
        """Something red that moves less than the best part: what that drags along may do it without it."""
        moved = self._moved(self.part)
        for name in self.part if len(moved) > len(self.part) else ():
            if len(self.known) + len(self.less) >= self.most:
                raise _SpentError
            trial = await self.try_less(frozenset(self.part), name)
            self.less[frozenset(self.part), name] = trial.outcome
            left = tuple(each.name for each in trial.moved if each.name in self.names)
            if trial.outcome == "red" and set(left) < set(moved) and await self.find_red([left]):
                return left
        return None

    def _moved(self, part: Part) -> Part:
        """All of the names that a part moves."""
        trial = self.known[frozenset(part)]
        there = {*part, *(change.name for change in trial.moved)}
        return tuple(name for name in self.names if name in there)

    def doubtful(self) -> Part:
        """Names without which there is no answer, or was no time for one."""
        return tuple(name for name in self.part if self._is_doubtful(name))

    def _is_doubtful(self, name: str) -> bool:
        rest, whole = _without(self.part, (name,)), frozenset(self.part)
        tried = [self.outcome(rest)] if rest else []
        if len(self._moved(self.part)) > len(self.part):
            tried.append(self.less.get((whole, name)))
        return any(outcome in {"unresolved", None} for outcome in tried)


async def _await(trial: Awaitable[Trial]) -> Trial:
    return await trial


async def minimize(
    names: Sequence[str], try_part: TryPart, try_less: TryLess, *, at_once: int = 1, most: int = 40
) -> Minimum:
    """Find a part of ``names`` that is red, and of which no single name can be left out.

    What a part drags along (``Trial.moved``) counts: one that moves less is smaller. A part without an answer
    is never taken for a green one: it is tried to do without it, and where that does not help the result
    names it as doubtful. That nothing applied is green is the caller's to know.

    Args:
        names: what can be applied; what is likely to belong together is better put side by side.
        try_part: makes a trial.
        try_less: makes a trial of what a part moves, without one name; asked only where a part drags along.
        at_once: trials made at the same time.
        most: trials made at most, that of the whole included.
    """
    whole = tuple(dict.fromkeys(names))
    search = _Search(try_part, try_less, at_once, most, whole)
    if await search.find_red([whole]) is None:
        return Minimum((), search.known[frozenset(whole)].outcome)
    cut_off, fewer = False, whole
    try:
        while fewer:
            await search.reduce(fewer)
            fewer = await search.find_fewer() or ()
    except _SpentError:
        cut_off = True
    return Minimum(search.part, "red", doubtful=search.doubtful(), cut_off=cut_off)


def _split(part: Part, pieces: int) -> list[Part]:
    """``pieces`` chunks, as equal as they can be."""
    edges = [len(part) * number // pieces for number in range(pieces + 1)]
    return [part[start:end] for start, end in itertools.pairwise(edges)]


def _without(part: Part, left_out: Part) -> Part:
    return tuple(name for name in part if name not in left_out)


# Which release was the first bad one: a bisection that steps over releases of which nothing is known.

TryRelease = Callable[[str], Awaitable[ReleaseTrial]]
"""Puts one release in the place of the candidate's."""


async def bisect_releases(
    change: LockChange,
    listed: Listed,
    try_release: TryRelease,
    *,
    at_once: int = 1,
    most: int = 24,
) -> ReleaseSearch:
    """Search the first bad release of a change whose ends are known: good before it, bad after it.

    Args:
        change: a distribution that both sides have.
        listed: the releases in between.
        try_release: makes a trial.
        at_once: releases tried at the same time.
        most: releases tried at most; what is left between the ends then is skipped.
    """
    versions, gap = (change.before, *listed.versions, change.after), listed.gap
    good, bad = 0, len(versions) - 1
    known: dict[int, TrialOutcome] = {}
    tried: list[ReleaseTrial] = []
    while len(tried) < most:
        open_ = [at for at in range(good + 1, bad) if at not in known]
        chosen = _spread(open_, min(at_once, most - len(tried)))
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


def _spread(places: Sequence[int], count: int) -> list[int]:
    """Up to ``count`` of these, which cut them into parts as equal as can be."""
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
    """The lowest bad one above the last good one that is below it."""
    bad = min((at for at, outcome in known.items() if good < at < bad and outcome == "red"), default=bad)
    good = max((at for at, outcome in known.items() if good < at < bad and outcome == "green"), default=good)
    return good, bad
