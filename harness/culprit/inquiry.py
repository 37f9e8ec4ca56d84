"""What there is to know of a culprit: both directions, its first bad release, and whom it only brings along.

An upgrade of one package may need that of another, and the other is to blame; between the two locks they
cannot be told apart. A release in between, which goes with both, can tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.version import Version

from harness.culprit.bisect import bisect_releases
from harness.culprit.found import Found
from harness.culprit.minimize import Minimum
from harness.culprit.trials import Trials
from harness.gate_records import LockChange, ReleaseSearch, ReleaseTrial, Trial
from harness.plan.releases import list_between
from harness.plan.trial import part_of


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
class Inquiry:
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

    async def inquire(self, part: tuple[str, ...]) -> Found:
        """All that is found out about a part."""
        seen = await self.trials.look(await self.trials.resolve_part(part))
        explained = tuple(each for each in self.wanted if each in seen.red)
        blamed = await self._blame(part, explained)
        for name, context in blamed.items():
            explained = await self._from_the_first(name, context, explained)
        names, alone = await self._take_back(part, tuple(blamed), explained)
        return Found(
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
                if apart := await self._tell_apart(search, context, explained):
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

    async def _tell_apart(
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
