"""The search for the cause: reproduce, minimize in both directions, find the first bad release."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from packaging.version import Version

from harness.gate.cause.minimize import Minimum, bisect_releases
from harness.gate.cause.sentence import (
    FailingPart,
    FoundCause,
    describe_doubts,
    describe_found,
    describe_share,
    describe_so_far,
    describe_worse,
)
from harness.gate.cause.trial_lock import part_of
from harness.gate.cause.trials import Trials
from harness.records import Culprit, LockChange, ReleaseSearch, ReleaseTrial, Trial
from harness.resolve.releases import list_between

# What there is to know of a culprit: both directions, its first bad release, and whom it only brings along.
#
# An upgrade of one package may need that of another, and the other is to blame; between the two locks they
# cannot be told apart. A release in between, which goes with both, can tell.


@dataclass(frozen=True)
class _Context:
    """Names that are red together, and the trials between whose locks they are."""

    names: tuple[str, ...]
    trials: Trials

    def versions(self, other: Mapping[str, str]) -> dict[str, str]:
        """The names as the candidate of these trials has them, but for ``other`` versions of some."""
        return part_of(self.trials.compared.after, self.names) | dict(other)

    def change_of(self, name: str) -> LockChange:
        """How one of the names moves."""
        return next(change for change in self.trials.diff.changes if change.name == name)


@dataclass
class CauseInquiry:
    """Of one part that is red and as small as it gets.

    Attributes:
        trials: where trials are made.
        wanted: ids of what is looked for.
        python: for which releases have to be there.
        at_once: trials at the same time.
        most: trials of one search at most.
        searches: of releases, by name; those through which others came included.
        doubtful: of those who were told apart, names of which nobody knows whether they are needed.
        cut_off: telling them apart took more trials than there may be.
    """

    trials: Trials
    wanted: Sequence[str]
    python: str
    at_once: int
    most: int
    searches: dict[str, ReleaseSearch] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    cut_off: bool = False

    async def inquire(self, part: tuple[str, ...]) -> FoundCause:
        """All that is found out about a part."""
        seen = await self.trials.look(await self.trials.resolve_part(part))
        explained = tuple(each for each in self.wanted if each in seen.red)
        blamed = await self._blame(part, explained)
        for name, context in blamed.items():
            explained = await self._from_the_first(name, context, explained)
        names, alone = await self._take_back(part, tuple(blamed), explained)
        return FoundCause(
            changes=tuple(change for change in self.trials.diff.changes if change.name in names),
            dragged=tuple(change for change in alone.moved if change.name not in names),
            explained=explained,
            alone=alone,
            without=await self.trials.try_without(names, explained),
            releases=tuple(self.searches[name] for name in names if name in self.searches and name in blamed),
            through=tuple(search for name, search in self.searches.items() if name not in names),
        )

    async def _take_back(
        self, part: Sequence[str], blamed: Sequence[str], explained: Sequence[str]
    ) -> tuple[tuple[str, ...], Trial]:
        """Whom to name, and what that does alone: who only brings others along as well, if those do nothing.

        What was told apart on top of a part says that the others are needed, not that they are enough.
        """
        names = tuple(name for name in self.trials.names if name in blamed)
        alone = await self.trials.try_part(names, explained)
        if alone.outcome != "green" or set(part) <= set(names):
            return names, alone
        together = tuple(name for name in self.trials.names if name in {*blamed, *part})
        both = await self.trials.try_part(together, explained)
        return (together, both) if both.outcome == "red" else (names, alone)

    async def _blame(self, part: tuple[str, ...], explained: Sequence[str]) -> dict[str, _Context]:
        """Whom to blame in the end, each with the trials in which it was found.

        Names that only bring others along give way to these, which are looked at in their turn.
        """
        blamed: dict[str, _Context] = {}
        open_ = {name: _Context(part, self.trials) for name in part}
        while open_:
            name, context = open_.popitem()
            search = await self._bisect(name, context, explained)
            if search is not None:
                self.searches[name] = search
                if apart := await self._describe_separately(search, context, explained):
                    open_ |= {each: apart for each in apart.names if each not in self.searches}
                    continue
            blamed[name] = context
        return blamed

    async def _bisect(self, name: str, context: _Context, explained: Sequence[str]) -> ReleaseSearch | None:
        """The first bad release of one of the names; None where it was added or removed."""
        trials, change = context.trials, context.change_of(name)
        if change.kind != "changed" or change.before == change.after:
            return None
        trials.say(f"looking up the releases of {name} from {change.before} to {change.after}")
        low, high = sorted((change.before, change.after), key=Version)
        listed = await list_between(name, low, high, trials.matrix, trials.settings, python=self.python)
        listed = listed if low == change.before else listed.backwards()

        async def try_release(version: str) -> ReleaseTrial:
            trial = await trials.try_versions(context.versions({name: version}), explained)
            return ReleaseTrial(version=version, outcome=trial.outcome, because=trial.because)

        return await bisect_releases(change, listed, try_release, at_once=self.at_once)

    async def _describe_separately(
        self, search: ReleaseSearch, context: _Context, explained: Sequence[str]
    ) -> _Context | None:
        """Whom the first bad release only brings along, and who is to blame instead; None if it is itself.

        Between the last good and the first bad release the same search is made once more; the last good one
        may go with what the first bad one needs.
        """
        trials = context.trials
        good = await trials.resolve_versions(context.versions({search.name: search.last_good}))
        bad = await trials.resolve_versions(context.versions({search.name: search.first_bad}))
        ends = {trials.compared.before.digest, trials.compared.after.digest}
        if good.reason or bad.reason or {good.digest, bad.digest} == ends:
            return None
        closer = trials.between(good, bad)
        if len(closer.names) < 2:
            return None
        trials.say(f"{search.name} {search.first_bad} moves others along; is it one of them?")
        minimum: Minimum = await closer.minimize(explained, at_once=self.at_once, most=self.most)
        known: Collection[str] = self.trials.names
        if not minimum.part or search.name in minimum.part or not set(minimum.part) <= set(known):
            return None
        self.doubtful |= set(minimum.doubtful)
        self.cut_off = self.cut_off or minimum.cut_off
        return _Context(minimum.part, closer)

    async def _from_the_first(
        self, name: str, context: _Context, explained: tuple[str, ...]
    ) -> tuple[str, ...]:
        """What the first bad release turns red already; what comes later has another cause."""
        if name not in self.searches:
            return explained
        first = context.versions({name: self.searches[name].first_bad})
        lock = await context.trials.resolve_versions(first)
        red = () if lock.reason else (await context.trials.look(lock)).red
        return tuple(each for each in explained if each in red) or explained


MOST_TRIALS = 40
"""Of one part; most are known by then, and one that is not takes as long as the suite takes to start."""

MOST_CULPRITS = 3
"""Independent ones that are looked for, one after the other."""


@dataclass
class CauseSearch:
    """One search over one kind of symptoms.

    Attributes:
        trials: where trials are made.
        wanted: ids of what is looked for.
        noun: what these are, for a person.
        python: for which releases have to be there.
        at_once: trials at the same time.
        most: trials of one part at most.
        units: of quantities, by id; cases have none.
    """

    trials: Trials
    wanted: tuple[str, ...]
    noun: str
    python: str
    at_once: int = 1
    most: int = MOST_TRIALS
    units: Mapping[str, str] = field(default_factory=dict)
    _told: int = 0
    _found: list[Culprit] = field(default_factory=list)
    _left: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """In the beginning all is left."""
        self._left = self.wanted

    async def search(self) -> Culprit:
        """The culprit, with those that are independent of it as ``further``."""
        trials, compared = self.trials, self.trials.compared
        if not trials.names:
            return self._nothing("both locks are the same, so no package can be to blame")
        if self.at_once > 1:
            async with asyncio.TaskGroup() as group:
                for lock in (compared.before, compared.after):
                    group.create_task(trials.look(lock))
        whole = await trials.try_part(trials.names, self.wanted)
        if whole.outcome != "red":
            return self._nothing(_describe_gone(whole))
        baseline = await trials.look(compared.before)
        there = (await trials.look(compared.after)).red
        self._left = tuple(each for each in self.wanted if each in there and each not in baseline.red)
        if not self._left:
            return self._nothing("what failed fails in the baseline too when it is run again: it is flaky")
        while self._left and len(self._found) < MOST_CULPRITS:
            one = await self._find_one(self._left)
            self._found.append(one)
            if not one.changes:
                break
            self._left = tuple(each for each in self._left if each not in one.looked_for)
        left = f"{self._describe_left()}, which were not looked into" if self._left else ""
        return self._with_notes(_join(self._found, left))

    def _with_notes(self, culprit: Culprit) -> Culprit:
        """The sentence with what the search could not find out."""
        return msgspec.structs.replace(culprit, sentence=". ".join([culprit.sentence, *self.trials.notes]))

    def stop(self, because: str) -> Culprit:
        """What is known when the search was ended from outside; ``because`` says by what."""
        reds = [each for each in self.trials.reds if set(each.explained) & set(self._left)]
        smaller = [each for each in reds if each.digest != self.trials.compared.after.digest]
        if smaller:
            so_far = self._so_far(min(reversed(smaller), key=_size), because)
            return self._with_notes(_join([*self._found, so_far], ""))
        so_far = self._nothing(f"{because}, and no part smaller than the whole upgrade was known to do it")
        left = f"{self._describe_left()}; {because}" if self._found else ""
        return self._with_notes(_join([*self._found, so_far], left))

    def _so_far(self, red: FailingPart, because: str) -> Culprit:
        explained = tuple(each for each in red.explained if each in self._left)
        told = describe_share(explained, self._left, self.noun)
        return Culprit(
            sentence=describe_so_far(red, told, self._worse(explained), because),
            looked_for=explained,
            changes=red.changes,
            dragged=red.dragged,
            alone="red",
            trials=self._new_trials(),
        )

    def _describe_left(self) -> str:
        one = len(self._left) == 1
        what = f"1 more of the {self.noun} is" if one else f"{len(self._left)} more {self.noun} are"
        return f"{what} {self._worse(self._left)}"

    def _worse(self, wanted: Sequence[str]) -> str:
        return describe_worse([self.units[each] for each in wanted if each in self.units])

    def _nothing(self, sentence: str) -> Culprit:
        return Culprit(sentence=sentence, looked_for=self._left or self.wanted, trials=self._new_trials())

    def _new_trials(self) -> tuple[Trial, ...]:
        """Those that nobody was told of yet."""
        new = tuple(self.trials.made[self._told :])
        self._told = len(self.trials.made)
        return new

    async def _find_one(self, wanted: Sequence[str]) -> Culprit:
        """One culprit of these, tried in both directions."""
        minimum = await self.trials.minimize(wanted, at_once=self.at_once, most=self.most)
        if not minimum.part:
            sentence = "what is left does not fail again"
            return Culprit(sentence=sentence, looked_for=tuple(wanted), trials=self._new_trials())
        inquiry = CauseInquiry(self.trials, wanted, self.python, self.at_once, self.most)
        found = await inquiry.inquire(minimum.part)
        told = describe_share(found.explained, wanted, self.noun)
        unsure = {*minimum.doubtful, *inquiry.doubtful}
        doubtful = [change.name for change in found.changes if change.name in unsure]
        doubts = describe_doubts(doubtful, cut_off=minimum.cut_off or inquiry.cut_off, trials=self.most)
        return Culprit(
            sentence=describe_found(found, told, self._worse(found.explained), doubts),
            looked_for=tuple(found.explained),
            changes=found.changes,
            dragged=found.dragged,
            alone=found.alone.outcome,
            without=found.without.outcome,
            releases=(*found.releases, *found.through),
            trials=self._new_trials(),
        )


def _describe_gone(whole: Trial) -> str:
    if whole.outcome == "green":
        return "what failed does not fail when it is run again by itself in the same environment: it is flaky"
    return f"what failed could not be seen again: {whole.because}"


def _size(red: FailingPart) -> int:
    return len(red.changes) + len(red.dragged)


def join_kinds(found: Sequence[Culprit]) -> Culprit:
    """One record of what was found for several kinds of symptoms; one that names somebody comes first."""
    first, *others = sorted(found, key=lambda culprit: not culprit.changes)
    further = (*first.further, *(each for other in others for each in (other, *other.further)))
    sentence = ". ".join(culprit.sentence for culprit in found)
    flat = tuple(msgspec.structs.replace(each, further=()) for each in further)
    return msgspec.structs.replace(first, sentence=sentence, further=flat)


def _join(found: Sequence[Culprit], more: str) -> Culprit:
    """One record: the first, with the others as further ones, and a sentence that speaks of all."""
    first, *further = found
    parts = [culprit.sentence for culprit in found if culprit.changes] or [first.sentence]
    sentence = ". Beside that, ".join([*parts, more] if more else parts)
    return msgspec.structs.replace(first, sentence=sentence, further=tuple(further))
