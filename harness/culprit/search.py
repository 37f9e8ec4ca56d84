"""The search for a culprit: the smallest part that does it, both directions, the first bad release."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import msgspec

from harness.culprit.bisect import bisect_releases
from harness.culprit.minimize import Minimum, minimize
from harness.culprit.trials import Trials
from harness.culprit.words import say_doubts, say_found, say_share
from harness.gate_records import Culprit, LockChange, ReleaseSearch, ReleaseTrial, Trial
from harness.plan.releases import list_between
from harness.plan.trial import part_of

MOST_TRIALS = 40
"""Of one part; most are known by then, and one that is not takes as long as the suite takes to start."""

MOST_CULPRITS = 3
"""Independent ones that are looked for, one after the other."""


@dataclass
class Hunt:
    """One search over one kind of symptoms.

    Attributes:
        trials: where trials are made.
        wanted: ids of what is looked for.
        noun: what these are, for a person.
        python: for which releases have to be there.
        at_once: trials at the same time.
        most: trials of one part at most.
    """

    trials: Trials
    wanted: tuple[str, ...]
    noun: str
    python: str
    at_once: int = 1
    most: int = MOST_TRIALS
    _told: int = field(default=0)

    async def search(self) -> Culprit:
        """The culprit, with those that are independent of it as ``further``."""
        trials, compared = self.trials, self.trials.compared
        if not trials.names:
            return self._nothing("both locks are the same, so no package can be to blame")
        if self.at_once > 1:
            await asyncio.gather(trials.look(compared.before), trials.look(compared.after))
        whole = await trials.try_part(trials.names, self.wanted)
        if whole.outcome != "red":
            return self._nothing(_say_gone(whole))
        baseline = await trials.look(compared.before)
        there = (await trials.look(compared.after)).red
        left = [each for each in self.wanted if each in there and each not in baseline.red]
        if not left:
            return self._nothing("what failed fails in the baseline too when it is run again: it is flaky")
        found: list[Culprit] = []
        while left and len(found) < MOST_CULPRITS:
            one = await self._find_one(left)
            found.append(one)
            if not one.changes:
                break
            left = [each for each in left if each not in one.looked_for]
        return _join(found, unexplained=len(left), noun=self.noun)

    def _nothing(self, sentence: str) -> Culprit:
        return Culprit(sentence=sentence, looked_for=self.wanted, trials=self._new_trials())

    def _new_trials(self) -> tuple[Trial, ...]:
        """Those that nobody was told of yet."""
        new = tuple(self.trials.made[self._told :])
        self._told = len(self.trials.made)
        return new

    async def _find_one(self, wanted: Sequence[str]) -> Culprit:
        async def try_part(names: frozenset[str]) -> Trial:
            return await self.trials.try_part(names, wanted)

        minimum = await minimize(self.trials.names, try_part, at_once=self.at_once, most=self.most)
        if not minimum.part:
            sentence = "what is left does not fail again"
            return Culprit(sentence=sentence, looked_for=tuple(wanted), trials=self._new_trials())
        return await self._confirm(minimum, wanted)

    async def _confirm(self, minimum: Minimum, wanted: Sequence[str]) -> Culprit:
        trials, part = self.trials, minimum.part
        alone = await trials.try_part(part, wanted)
        explained = await self._explained(part, wanted)
        without = await trials.try_without(part, explained)
        changes = tuple(change for change in trials.diff.changes if change.name in part)
        dragged = tuple(change for change in alone.moved if change.name not in part)
        releases = [await self._bisect(change, part, explained) for change in changes if _spans(change)]
        told = say_share(explained, wanted, self.noun)
        sentence = say_found(changes, dragged, told, without, releases)
        doubts = say_doubts(minimum.doubtful, cut_off=minimum.cut_off, trials=self.most)
        return Culprit(
            sentence=sentence + doubts,
            looked_for=tuple(explained),
            changes=changes,
            dragged=dragged,
            alone=alone.outcome,
            without=without.outcome,
            releases=tuple(releases),
            trials=self._new_trials(),
        )

    async def _explained(self, part: Collection[str], wanted: Sequence[str]) -> list[str]:
        """What of it comes up with this part."""
        lock = await self.trials.resolve_part(part)
        seen = await self.trials.look(lock)
        return [each for each in wanted if each in seen.red]

    async def _bisect(
        self, change: LockChange, part: Collection[str], explained: Sequence[str]
    ) -> ReleaseSearch:
        trials = self.trials
        trials.say(f"looking up the releases of {change.name} from {change.before} to {change.after}")
        between = await list_between(
            change.name, change.before, change.after, trials.matrix, trials.settings, python=self.python
        )

        async def try_release(version: str) -> ReleaseTrial:
            versions = {**part_of(trials.compared.after, part), change.name: version}
            trial = await trials.try_versions(versions, explained)
            return ReleaseTrial(version=version, outcome=trial.outcome, because=trial.because)

        return await bisect_releases(change, between, try_release, at_once=self.at_once)


def _spans(change: LockChange) -> bool:
    """Whether there can be releases in between."""
    return change.kind == "changed" and change.before != change.after


def _say_gone(whole: Trial) -> str:
    if whole.outcome == "green":
        return "what failed does not fail when it is run again by itself in the same environment: it is flaky"
    return f"what failed could not be seen again: {whole.because}"


def join_kinds(found: Sequence[Culprit]) -> Culprit:
    """One record of what was found for several kinds of symptoms."""
    first, *others = found
    further = (*first.further, *(each for other in others for each in (other, *other.further)))
    sentence = ". ".join(culprit.sentence for culprit in found)
    flat = tuple(msgspec.structs.replace(each, further=()) for each in further)
    return msgspec.structs.replace(first, sentence=sentence, further=flat)


def _join(found: Sequence[Culprit], *, unexplained: int, noun: str) -> Culprit:
    """One record: the first, with the others as further ones, and a sentence that speaks of all."""
    first, *further = found
    parts = [culprit.sentence for culprit in found if culprit.changes] or [first.sentence]
    if unexplained:
        parts.append(f"{unexplained} {noun} are explained by none of this")
    return msgspec.structs.replace(first, sentence=". Beside that, ".join(parts), further=tuple(further))
