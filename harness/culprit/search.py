"""The search for a culprit: does it come back, what is the smallest part that does it, and is that all?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from harness.culprit.found import Red
from harness.culprit.inquiry import Inquiry
from harness.culprit.trials import Trials
from harness.culprit.words import say_doubts, say_found, say_share, say_so_far, say_worse
from harness.gate_records import Culprit, Trial

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
            return self._nothing(_say_gone(whole))
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
        return _join(self._found, f"{self._say_left()}, which were not looked into" if self._left else "")

    def stop(self, because: str) -> Culprit:
        """What is known when the search was ended from outside; ``because`` says by what."""
        reds = [each for each in self.trials.reds if set(each.explained) & set(self._left)]
        smaller = [each for each in reds if each.digest != self.trials.compared.after.digest]
        if smaller:
            so_far = self._so_far(min(reversed(smaller), key=_size), because)
            return _join([*self._found, so_far], "")
        so_far = self._nothing(f"{because}, and no part smaller than the whole upgrade was known to do it")
        return _join([*self._found, so_far], f"{self._say_left()}; {because}" if self._found else "")

    def _so_far(self, red: Red, because: str) -> Culprit:
        explained = tuple(each for each in red.explained if each in self._left)
        told = say_share(explained, self._left, self.noun)
        return Culprit(
            sentence=say_so_far(red, told, self._worse(explained), because),
            looked_for=explained,
            changes=red.changes,
            dragged=red.dragged,
            alone="red",
            trials=self._new_trials(),
        )

    def _say_left(self) -> str:
        one = len(self._left) == 1
        what = f"1 more of the {self.noun} is" if one else f"{len(self._left)} more {self.noun} are"
        return f"{what} {self._worse(self._left)}"

    def _worse(self, wanted: Sequence[str]) -> str:
        return say_worse([self.units[each] for each in wanted if each in self.units])

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
        inquiry = Inquiry(self.trials, wanted, self.python, self.at_once, self.most)
        found = await inquiry.inquire(minimum.part)
        told = say_share(found.explained, wanted, self.noun)
        unsure = {*minimum.doubtful, *inquiry.doubtful}
        doubtful = [change.name for change in found.changes if change.name in unsure]
        doubts = say_doubts(doubtful, cut_off=minimum.cut_off or inquiry.cut_off, trials=self.most)
        return Culprit(
            sentence=say_found(found, told, self._worse(found.explained), doubts),
            looked_for=tuple(found.explained),
            changes=found.changes,
            dragged=found.dragged,
            alone=found.alone.outcome,
            without=found.without.outcome,
            releases=(*found.releases, *found.through),
            trials=self._new_trials(),
        )


def _say_gone(whole: Trial) -> str:
    if whole.outcome == "green":
        return "what failed does not fail when it is run again by itself in the same environment: it is flaky"
    return f"what failed could not be seen again: {whole.because}"


def _size(red: Red) -> int:
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
