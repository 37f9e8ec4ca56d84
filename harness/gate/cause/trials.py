"""The trials of one search: resolved, run once for each environment, and recorded."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from harness.errors import MachineError, UsageError
from harness.gate.cause.minimize import Minimum, minimize
from harness.gate.cause.sentence import FailingPart, describe_changes, sort_by_relevance
from harness.gate.cause.symptoms import Observation
from harness.gate.cause.trial_lock import Start, find_requirers, part_of, resolve_trial, starts_of
from harness.gate.request import Comparison
from harness.matrix.schema import Matrix
from harness.records import Lock, LockChange, LockDiff, Trial
from harness.resolve.lockfile import diff_locks
from harness.resolve.pip_settings import IndexSettings

Run = Callable[[Lock, int], Awaitable[Observation]]
"""Runs a trial in an environment; the number of the trial names its folder."""

Log = Callable[[str], None]


@dataclass
class Trials:
    """Applies parts of the lock diff; each environment is observed once.

    Attributes:
        comparison: both sides and their locks.
        diff: between the two locks.
        matrix: with its index settings.
        settings: of the package indexes.
        run: runs a trial in one environment.
        log: receives a line for each trial.
        max_trials: largest number of observed environments; others are unresolved.
        observations: by the digest of the lock.
        made: the trials in order.
        failing: the red parts of these.
        locks: resolved so far.
        origin: the baseline of the gate, if ``comparison`` starts from another lock.
        notes: facts that the search could not determine, for the sentence of the cause.
    """

    comparison: Comparison
    diff: LockDiff
    matrix: Matrix
    settings: IndexSettings
    run: Run
    log: Log
    max_trials: int = 60
    observations: dict[str, Observation] = field(default_factory=dict)
    made: list[Trial] = field(default_factory=list)
    failing: list[FailingPart] = field(default_factory=list)
    locks: dict[tuple[str, str, frozenset[tuple[str, str]]], Lock] = field(default_factory=dict)
    origin: Lock | None = None
    notes: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _running: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @property
    def names(self) -> tuple[str, ...]:
        """All changes of the upgrade, the likely causes first, so that the search halves them together."""
        return tuple(change.name for change in sort_by_relevance(self.diff.changes))

    async def try_part(self, names: Collection[str], symptoms: Collection[str]) -> Trial:
        """Try the baseline with these distributions of the candidate."""
        return await self.try_versions(part_of(self.comparison.after, names), symptoms)

    async def try_versions(self, versions: Mapping[str, str], symptoms: Collection[str]) -> Trial:
        """Try the baseline with these versions."""
        forward, _ = starts_of(self.comparison)
        return await self._try(forward, versions, self._in_order(versions), symptoms)

    async def try_reduced(self, names: Collection[str], without: str, symptoms: Collection[str]) -> Trial:
        """Try the changes of ``try_part`` with one distribution as in the baseline."""
        lock = await self.resolve_part(names)
        backward = msgspec.structs.replace(starts_of(self.comparison)[1], lock=lock)
        applied = tuple(change.name for change in self.changes_of(lock) if change.name != without)
        return await self._try(backward, part_of(self.comparison.before, [without]), applied, symptoms)

    async def try_without(self, names: Collection[str], symptoms: Collection[str]) -> Trial:
        """Try the candidate with these distributions of the baseline."""
        _, backward = starts_of(self.comparison)
        applied = tuple(name for name in self.names if name not in names)
        return await self._try(backward, part_of(self.comparison.before, names), applied, symptoms)

    async def minimize(self, symptoms: Collection[str], *, parallel: int, max_trials: int) -> Minimum:
        """Find the smallest part that shows any of these symptoms."""

        async def try_part(names: frozenset[str]) -> Trial:
            return await self.try_part(names, symptoms)

        async def try_reduced(names: frozenset[str], without: str) -> Trial:
            return await self.try_reduced(names, without, symptoms)

        found = await minimize(self.names, try_part, try_reduced, parallel=parallel, max_trials=max_trials)
        renamed = await self._prefer_requirers(found.part)
        doubtful = tuple(renamed.get(name, name) for name in found.doubtful)
        return replace(found, part=self._in_order(renamed.values()), doubtful=doubtful)

    async def _prefer_requirers(self, part: tuple[str, ...]) -> dict[str, str]:
        """Rename a part: of packages that only change together, prefer the one that requires the others."""
        same = {name: name for name in part}
        if not part:
            return same
        whole = await self.resolve_part(part)
        moved = {change.name for change in self.changes_of(whole)} & set(self.names)
        if len(moved) <= len(part):
            return same
        try:
            required_by = await find_requirers(whole, self.comparison.candidate, self.matrix, self.settings)
        except MachineError as error:
            self._add_note(f"Which package requires {' and '.join(part)} is unknown: {error}")
            return same
        names, tried = list(part), set(part)
        for at, name in enumerate(part):
            above = [each for each in required_by.get(name, ()) if each in moved]
            while above:
                higher = above.pop()
                if higher in tried:
                    continue
                tried.add(higher)
                replaced = [*names[:at], higher, *names[at + 1 :]]
                if (await self.resolve_part(replaced)).digest == whole.digest:
                    names, above = replaced, [e for e in required_by.get(higher, ()) if e in moved]
        return dict(zip(part, names, strict=True))

    def _add_note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
            self.log(note)

    def between(self, before: Lock, after: Lock) -> Trials:
        """Trials between two other locks, with shared results."""
        comparison = msgspec.structs.replace(self.comparison, before=before, after=after)
        diff = diff_locks(before, after, {change.name for change in self.diff.changes if change.asked})
        return replace(self, comparison=comparison, diff=diff, origin=self.origin or self.comparison.before)

    async def resolve_part(self, names: Collection[str]) -> Lock:
        """The environment of ``try_part``."""
        return await self.resolve_versions(part_of(self.comparison.after, names))

    async def resolve_versions(self, versions: Mapping[str, str]) -> Lock:
        """The environment of ``try_versions``."""
        forward, _ = starts_of(self.comparison)
        return await self._resolve(forward, versions)

    async def observe(self, lock: Lock) -> Observation:
        """Observe an environment, once."""
        async with self._running[lock.digest]:
            if lock.digest not in self.observations:
                number = next(self._numbers)
                if number > self.max_trials:
                    return Observation(because=f"the limit of {self.max_trials} trials is reached")
                self.observations[lock.digest] = await self.run(lock, number)
        return self.observations[lock.digest]

    def changes_of(self, lock: Lock) -> tuple[LockChange, ...]:
        """The changes of a lock from the baseline."""
        asked = {change.name for change in self.diff.changes if change.asked}
        return diff_locks(self.comparison.before, lock, asked).changes

    def _in_order(self, names: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in self.names if name in names)

    async def _try(
        self, start: Start, versions: Mapping[str, str], applied: tuple[str, ...], symptoms: Collection[str]
    ) -> Trial:
        try:
            lock = await self._resolve(start, versions)
            reason = lock.reason
        except UsageError as error:  # no index has the package
            reason = str(error)
        if reason:
            trial = Trial(applied=applied, outcome="unresolved", because=f"no solution: {reason}")
            return self._record(trial, moved=(), new=True)
        new = lock.digest not in self.observations
        observation = await self.observe(lock)
        outcome, because = observation.judge(symptoms)
        trial = Trial(applied=applied, moved=self.changes_of(lock), outcome=outcome, because=because)
        asked = {change.name for change in self.diff.changes if change.asked}
        origin = self.comparison.before if self.origin is None else self.origin
        moved = diff_locks(origin, lock, asked).changes
        if outcome == "red":
            self._keep_failing(
                lock, trial, moved, tuple(each for each in symptoms if each in observation.red)
            )
        return self._record(trial, moved=moved, new=new)

    def _keep_failing(
        self, lock: Lock, trial: Trial, moved: tuple[LockChange, ...], explained: tuple[str, ...]
    ) -> None:
        """Keep a red trial; if it starts from another lock than the baseline, all its changes are applied."""
        applied = trial.applied if self.origin is None else {change.name for change in moved}
        changes = tuple(change for change in moved if change.name in applied)
        dragged = tuple(change for change in moved if change.name not in applied)
        self.failing.append(FailingPart(lock.digest, changes, dragged, explained))

    async def _resolve(self, start: Start, versions: Mapping[str, str]) -> Lock:
        asked = (start.lock.digest, start.other.digest, frozenset(versions.items()))
        if asked not in self.locks:
            self.locks[asked] = await resolve_trial(start, versions, self.matrix, self.settings)
        return self.locks[asked]

    def _record(self, trial: Trial, *, moved: tuple[LockChange, ...], new: bool) -> Trial:
        """Record a trial with all its changes from the baseline of the gate."""
        self.made.append(msgspec.structs.replace(trial, moved=moved))
        if new:
            what = describe_changes(moved) or ", ".join(trial.applied) or "the baseline"
            because = f" ({trial.because})" if trial.because else ""
            self.log(f"trial with {what}: {trial.outcome}{because}")
        return trial
