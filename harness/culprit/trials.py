"""The trials of one search: resolved, run once for each environment, and kept as they are told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from harness.culprit.symptoms import Seen
from harness.culprit.words import say_changes
from harness.errors import UsageError
from harness.gate_records import LockChange, LockDiff, Trial
from harness.plan.candidate import Compared
from harness.plan.lock_diff import diff_locks
from harness.plan.pip_settings import IndexSettings
from harness.plan.schema import Matrix
from harness.plan.trial import Start, part_of, resolve_trial, starts_of
from harness.records import Lock

Run = Callable[[Lock, int], Awaitable[Seen]]
"""Runs what is looked for in an environment; the number is that of the trial, for its folder."""

Say = Callable[[str], None]


@dataclass
class Trials:
    """Applies parts of the lock diff; an environment that was looked at is not looked at again.

    Attributes:
        compared: both sides and their locks.
        diff: what lies between them.
        matrix: whose index settings count.
        settings: where distributions come from.
        run: looks at one environment.
        say: is told of each trial, for a person.
        seen: what is known, by the digest of the lock.
        made: the trials in the order in which they were told.
        locks: what was resolved already.
    """

    compared: Compared
    diff: LockDiff
    matrix: Matrix
    settings: IndexSettings
    run: Run
    say: Say
    seen: dict[str, Seen] = field(default_factory=dict)
    made: list[Trial] = field(default_factory=list)
    locks: dict[tuple[str, frozenset[tuple[str, str]]], Lock] = field(default_factory=dict)
    _runs: int = 0
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @property
    def names(self) -> tuple[str, ...]:
        """All that the upgrade changes, those asked for first."""
        return tuple(change.name for change in self.diff.changes)

    async def try_part(self, names: Collection[str], wanted: Collection[str]) -> Trial:
        """The baseline with these distributions as the candidate has them."""
        return await self.try_versions(part_of(self.compared.after, names), wanted)

    async def try_versions(self, versions: Mapping[str, str], wanted: Collection[str]) -> Trial:
        """The baseline with these distributions at these versions."""
        forth, _ = starts_of(self.compared)
        return await self._try(forth, versions, self._in_order(versions), wanted)

    async def try_without(self, names: Collection[str], wanted: Collection[str]) -> Trial:
        """The candidate with these distributions as the baseline has them."""
        _, back = starts_of(self.compared)
        applied = tuple(name for name in self.names if name not in names)
        return await self._try(back, part_of(self.compared.before, names), applied, wanted)

    async def resolve_part(self, names: Collection[str]) -> Lock:
        """The environment of ``try_part``."""
        forth, _ = starts_of(self.compared)
        return await self._resolve(forth, part_of(self.compared.after, names))

    async def look(self, lock: Lock) -> Seen:
        """What an environment shows; looked at once."""
        async with self._turns[lock.digest]:
            if lock.digest not in self.seen:
                self._runs += 1
                self.seen[lock.digest] = await self.run(lock, self._runs)
        return self.seen[lock.digest]

    def changes_of(self, lock: Lock) -> tuple[LockChange, ...]:
        """What a lock has moved from the baseline."""
        asked = {change.name for change in self.diff.changes if change.asked}
        return diff_locks(self.compared.before, lock, asked).changes

    def _in_order(self, names: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in self.names if name in names)

    async def _try(
        self, start: Start, versions: Mapping[str, str], applied: tuple[str, ...], wanted: Collection[str]
    ) -> Trial:
        try:
            lock = await self._resolve(start, versions)
        except UsageError as error:  # a package that no index has
            return self._tell(Trial(applied=applied, outcome="unresolved", because=str(error)), new=True)
        if lock.reason:
            because = f"no solution: {lock.reason}"
            return self._tell(Trial(applied=applied, outcome="unresolved", because=because), new=True)
        new = lock.digest not in self.seen
        outcome, because = (await self.look(lock)).judge(wanted)
        trial = Trial(applied=applied, moved=self.changes_of(lock), outcome=outcome, because=because)
        return self._tell(trial, new=new)

    async def _resolve(self, start: Start, versions: Mapping[str, str]) -> Lock:
        asked = (start.lock.digest, frozenset(versions.items()))
        if asked not in self.locks:
            self.locks[asked] = await resolve_trial(start, versions, self.matrix, self.settings)
        return self.locks[asked]

    def _tell(self, trial: Trial, *, new: bool) -> Trial:
        self.made.append(trial)
        if new:
            what = say_changes(trial.moved) or ", ".join(trial.applied) or "the baseline"
            because = f" ({trial.because})" if trial.because else ""
            self.say(f"trial with {what}: {trial.outcome}{because}")
        return trial
