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
    describe_degradation,
    describe_found,
    describe_interrupted,
    describe_share,
    describe_uncertainty,
)
from harness.gate.cause.trial_lock import part_of
from harness.gate.cause.trials import Trials
from harness.records import Culprit, LockChange, ReleaseSearch, ReleaseTrial, Trial
from harness.resolve.releases import list_between

# Analyze a minimal part: both directions, first bad release, and packages that only require the cause.
#
# An upgrade of one package may require that of another, which is the actual cause. The two locks cannot
# separate them; a release in between that works with both can.


@dataclass(frozen=True)
class _Context:
    """Names that are red together, and the trials in which they are."""

    names: tuple[str, ...]
    trials: Trials

    def versions(self, other: Mapping[str, str]) -> dict[str, str]:
        """Versions of the names in the candidate of these trials, with ``other`` versions of some."""
        return part_of(self.trials.comparison.after, self.names) | dict(other)

    def change_of(self, name: str) -> LockChange:
        """The change of one of the names."""
        return next(change for change in self.trials.diff.changes if change.name == name)


@dataclass
class CauseAnalysis:
    """The analysis of one minimal red part.

    Attributes:
        trials: runs the trials.
        symptoms: ids of the failed cases or quantities.
        python: version that releases must support.
        parallel: number of trials at the same time.
        max_trials: largest number of trials of one search.
        searches: of releases, by name; those of requirers included.
        doubtful: names of an actual cause that may be unnecessary.
        cut_off: the search for an actual cause reached its limit of trials.
    """

    trials: Trials
    symptoms: Sequence[str]
    python: str
    parallel: int
    max_trials: int
    searches: dict[str, ReleaseSearch] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    cut_off: bool = False

    async def analyze(self, part: tuple[str, ...]) -> FoundCause:
        """Find the cause behind a part, and collect the evidence."""
        observation = await self.trials.observe(await self.trials.resolve_part(part))
        explained = tuple(each for each in self.symptoms if each in observation.red)
        causes = await self._find_causes(part, explained)
        for name, context in causes.items():
            explained = await self._keep_explained(name, context, explained)
        names, alone = await self._complete_part(part, tuple(causes), explained)
        return FoundCause(
            changes=tuple(change for change in self.trials.diff.changes if change.name in names),
            dragged=tuple(change for change in alone.moved if change.name not in names),
            explained=explained,
            alone=alone,
            without=await self.trials.try_without(names, explained),
            releases=tuple(self.searches[name] for name in names if name in self.searches and name in causes),
            requirers=tuple(search for name, search in self.searches.items() if name not in names),
        )

    async def _complete_part(
        self, part: Sequence[str], causes: Sequence[str], explained: Sequence[str]
    ) -> tuple[tuple[str, ...], Trial]:
        """The names of the cause and their trial alone; with the rest of the part if they are green alone.

        The search between releases proves that the causes are necessary, not that they are sufficient.
        """
        names = tuple(name for name in self.trials.names if name in causes)
        alone = await self.trials.try_part(names, explained)
        if alone.outcome != "green" or set(part) <= set(names):
            return names, alone
        together = tuple(name for name in self.trials.names if name in {*causes, *part})
        both = await self.trials.try_part(together, explained)
        return (together, both) if both.outcome == "red" else (names, alone)

    async def _find_causes(self, part: tuple[str, ...], explained: Sequence[str]) -> dict[str, _Context]:
        """The names of the actual causes, each with the trials in which it was found.

        A name that only requires an actual cause is replaced by that, which is then analyzed itself.
        """
        causes: dict[str, _Context] = {}
        open_ = {name: _Context(part, self.trials) for name in part}
        while open_:
            name, context = open_.popitem()
            search = await self._bisect(name, context, explained)
            if search is not None:
                self.searches[name] = search
                if actual := await self._find_actual_cause(search, context, explained):
                    open_ |= {each: actual for each in actual.names if each not in self.searches}
                    continue
            causes[name] = context
        return causes

    async def _bisect(self, name: str, context: _Context, explained: Sequence[str]) -> ReleaseSearch | None:
        """Find the first bad release of a name; None if it was added or removed."""
        trials, change = context.trials, context.change_of(name)
        if change.kind != "changed" or change.before == change.after:
            return None
        trials.log(f"listing the releases of {name} from {change.before} to {change.after}")
        low, high = sorted((change.before, change.after), key=Version)
        listed = await list_between(name, low, high, trials.matrix, trials.settings, python=self.python)
        listed = listed if low == change.before else listed.backwards()

        async def try_release(version: str) -> ReleaseTrial:
            trial = await trials.try_versions(context.versions({name: version}), explained)
            return ReleaseTrial(version=version, outcome=trial.outcome, because=trial.because)

        return await bisect_releases(change, listed, try_release, parallel=self.parallel)

    async def _find_actual_cause(
        self, search: ReleaseSearch, context: _Context, explained: Sequence[str]
    ) -> _Context | None:
        """Find the actual cause that the first bad release only requires; None if it is the cause itself.

        The search is repeated between the last good and the first bad release: the last good one may work
        with the requirements of the first bad one.
        """
        trials = context.trials
        good = await trials.resolve_versions(context.versions({search.name: search.last_good}))
        bad = await trials.resolve_versions(context.versions({search.name: search.first_bad}))
        ends = {trials.comparison.before.digest, trials.comparison.after.digest}
        if good.reason or bad.reason or {good.digest, bad.digest} == ends:
            return None
        between = trials.between(good, bad)
        if len(between.names) < 2:
            return None
        trials.log(f"{search.name} {search.first_bad} has transitive changes; checking if one is the cause")
        minimum: Minimum = await between.minimize(
            explained, parallel=self.parallel, max_trials=self.max_trials
        )
        known: Collection[str] = self.trials.names
        if not minimum.part or search.name in minimum.part or not set(minimum.part) <= set(known):
            return None
        self.doubtful |= set(minimum.doubtful)
        self.cut_off = self.cut_off or minimum.cut_off
        return _Context(minimum.part, between)

    async def _keep_explained(
        self, name: str, context: _Context, explained: tuple[str, ...]
    ) -> tuple[str, ...]:
        """The symptoms that the first bad release shows; later ones have another cause."""
        if name not in self.searches:
            return explained
        first = context.versions({name: self.searches[name].first_bad})
        lock = await context.trials.resolve_versions(first)
        red = () if lock.reason else (await context.trials.observe(lock)).red
        return tuple(each for each in explained if each in red) or explained


MAX_TRIALS = 40
"""Largest number of trials of one part; known results count, and a new one takes a start of the suite."""

MAX_CAUSES = 3
"""Largest number of independent causes; they are searched one after the other."""


@dataclass
class CauseSearch:
    """The search for the causes of one kind of symptoms.

    Attributes:
        trials: runs the trials.
        symptoms: ids of the failed cases or quantities.
        noun: their name in sentences.
        python: version that releases must support.
        parallel: number of trials at the same time.
        max_trials: largest number of trials of one part.
        units: of quantities, by id; cases have none.
    """

    trials: Trials
    symptoms: tuple[str, ...]
    noun: str
    python: str
    parallel: int = 1
    max_trials: int = MAX_TRIALS
    units: Mapping[str, str] = field(default_factory=dict)
    _reported: int = 0
    _found: list[Culprit] = field(default_factory=list)
    _open: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Start with all symptoms unexplained."""
        self._open = self.symptoms

    async def search(self) -> Culprit:
        """Search for the cause; independent causes are in its ``further``."""
        trials, comparison = self.trials, self.trials.comparison
        if not trials.names:
            return self._report_none("both locks are equal, so no package can be the cause")
        if self.parallel > 1:
            async with asyncio.TaskGroup() as group:
                for lock in (comparison.before, comparison.after):
                    group.create_task(trials.observe(lock))
        whole = await trials.try_part(trials.names, self.symptoms)
        if whole.outcome != "red":
            return self._report_none(_describe_unreproduced(whole))
        baseline = await trials.observe(comparison.before)
        reproduced = (await trials.observe(comparison.after)).red
        self._open = tuple(each for each in self.symptoms if each in reproduced and each not in baseline.red)
        if not self._open:
            return self._report_none(
                "the failure occurs in the baseline too when it is run again: it is flaky"
            )
        while self._open and len(self._found) < MAX_CAUSES:
            one = await self._find_cause(self._open)
            self._found.append(one)
            if not one.changes:
                break
            self._open = tuple(each for each in self._open if each not in one.looked_for)
        unexplained = f"{self._describe_open()}, and the cause was not searched" if self._open else ""
        return self._with_notes(_join(self._found, unexplained))

    def _with_notes(self, culprit: Culprit) -> Culprit:
        """Append the notes of the search to the sentence."""
        return msgspec.structs.replace(culprit, sentence=". ".join([culprit.sentence, *self.trials.notes]))

    def stop(self, because: str) -> Culprit:
        """The result so far of an interrupted search; ``because`` is the reason."""
        failing = [each for each in self.trials.failing if set(each.explained) & set(self._open)]
        smaller = [each for each in failing if each.digest != self.trials.comparison.after.digest]
        if smaller:
            interrupted = self._report_interrupted(min(reversed(smaller), key=_size), because)
            return self._with_notes(_join([*self._found, interrupted], ""))
        interrupted = self._report_none(f"{because}; no part smaller than the whole upgrade is known to fail")
        unexplained = f"{self._describe_open()}; {because}" if self._found else ""
        return self._with_notes(_join([*self._found, interrupted], unexplained))

    def _report_interrupted(self, part: FailingPart, because: str) -> Culprit:
        explained = tuple(each for each in part.explained if each in self._open)
        share = describe_share(explained, self._open, self.noun)
        return Culprit(
            sentence=describe_interrupted(part, share, self._describe_degradation(explained), because),
            looked_for=explained,
            changes=part.changes,
            dragged=part.dragged,
            alone="red",
            trials=self._new_trials(),
            cut_off=True,
        )

    def _describe_open(self) -> str:
        one = len(self._open) == 1
        what = f"1 more of the {self.noun} is" if one else f"{len(self._open)} more {self.noun} are"
        return f"{what} {self._describe_degradation(self._open)}"

    def _describe_degradation(self, symptoms: Sequence[str]) -> str:
        return describe_degradation([self.units[each] for each in symptoms if each in self.units])

    def _report_none(self, sentence: str) -> Culprit:
        return Culprit(sentence=sentence, looked_for=self._open or self.symptoms, trials=self._new_trials())

    def _new_trials(self) -> tuple[Trial, ...]:
        """The trials since the last report."""
        new = tuple(self.trials.made[self._reported :])
        self._reported = len(self.trials.made)
        return new

    async def _find_cause(self, symptoms: Sequence[str]) -> Culprit:
        """Find one cause of these symptoms, tested in both directions."""
        minimum = await self.trials.minimize(symptoms, parallel=self.parallel, max_trials=self.max_trials)
        if not minimum.part:
            sentence = "the remaining failures do not occur again"
            return Culprit(sentence=sentence, looked_for=tuple(symptoms), trials=self._new_trials())
        analysis = CauseAnalysis(self.trials, symptoms, self.python, self.parallel, self.max_trials)
        found = await analysis.analyze(minimum.part)
        share = describe_share(found.explained, symptoms, self.noun)
        uncertain = {*minimum.doubtful, *analysis.doubtful}
        doubtful = [change.name for change in found.changes if change.name in uncertain]
        uncertainty = describe_uncertainty(
            doubtful, cut_off=minimum.cut_off or analysis.cut_off, trials=self.max_trials
        )
        return Culprit(
            sentence=describe_found(found, share, self._describe_degradation(found.explained), uncertainty),
            looked_for=tuple(found.explained),
            changes=found.changes,
            dragged=found.dragged,
            alone=found.alone.outcome,
            without=found.without.outcome,
            releases=(*found.releases, *found.requirers),
            trials=self._new_trials(),
            cut_off=minimum.cut_off or analysis.cut_off,
        )


def _describe_unreproduced(whole: Trial) -> str:
    if whole.outcome == "green":
        return "the failure does not occur again in the same environment: it is flaky"
    return f"the failure could not be reproduced: {whole.because}"


def _size(part: FailingPart) -> int:
    return len(part.changes) + len(part.dragged)


def join_searches(found: Sequence[Culprit]) -> Culprit:
    """Join the results for several kinds of symptoms into one record, a found cause first."""
    first, *others = sorted(found, key=lambda culprit: not culprit.changes)
    further = (*first.further, *(each for other in others for each in (other, *other.further)))
    sentence = ". ".join(culprit.sentence for culprit in found)
    flat = tuple(msgspec.structs.replace(each, further=()) for each in further)
    return msgspec.structs.replace(first, sentence=sentence, further=flat)


def _join(found: Sequence[Culprit], more: str) -> Culprit:
    """Join results into one record: the first, the others as ``further``, and one sentence for all."""
    first, *further = found
    parts = [culprit.sentence for culprit in found if culprit.changes] or [first.sentence]
    sentence = ". In addition, ".join([*parts, more] if more else parts)
    return msgspec.structs.replace(first, sentence=sentence, further=tuple(further))
