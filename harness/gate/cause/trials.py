"""The trials of one search: resolved, run once for each environment, and kept as they are told."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from harness.errors import MachineError, UsageError
from harness.gate.cause.minimize import Minimum, minimize
from harness.gate.cause.sentence import FailingPart, by_weight, describe_changes
from harness.gate.cause.symptoms import Seen
from harness.gate.cause.trial_lock import Start, find_requirers, part_of, resolve_trial, starts_of
from harness.gate.request import Compared
from harness.matrix.schema import Matrix
from harness.records import Lock, LockChange, LockDiff, Trial
from harness.resolve.lockfile import diff_locks
from harness.resolve.pip_settings import IndexSettings

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
        most: environments looked at, at most; nothing is known of the rest.
        seen: what is known, by the digest of the lock.
        made: the trials in the order in which they were told.
        reds: those of them that were red.
        locks: what was resolved already.
        origin: the baseline of the gate, where ``compared`` is something in between.
        notes: what the search could not find out, for the sentence of the cause.
    """

    compared: Compared
    diff: LockDiff
    matrix: Matrix
    settings: IndexSettings
    run: Run
    say: Say
    most: int = 60
    seen: dict[str, Seen] = field(default_factory=dict)
    made: list[Trial] = field(default_factory=list)
    reds: list[FailingPart] = field(default_factory=list)
    locks: dict[tuple[str, str, frozenset[tuple[str, str]]], Lock] = field(default_factory=dict)
    origin: Lock | None = None
    notes: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @property
    def names(self) -> tuple[str, ...]:
        """All that the upgrade changes, the likely ones first: they are together in a half, and named."""
        return tuple(change.name for change in by_weight(self.diff.changes))

    async def try_part(self, names: Collection[str], wanted: Collection[str]) -> Trial:
        """The baseline with these distributions as the candidate has them."""
        return await self.try_versions(part_of(self.compared.after, names), wanted)

    async def try_versions(self, versions: Mapping[str, str], wanted: Collection[str]) -> Trial:
        """The baseline with these distributions at these versions."""
        forth, _ = starts_of(self.compared)
        return await self._try(forth, versions, self._in_order(versions), wanted)

    async def try_less(self, names: Collection[str], without: str, wanted: Collection[str]) -> Trial:
        """What ``try_part`` moves, with one distribution taken back to the baseline's version."""
        lock = await self.resolve_part(names)
        back = msgspec.structs.replace(starts_of(self.compared)[1], lock=lock)
        applied = tuple(change.name for change in self.changes_of(lock) if change.name != without)
        return await self._try(back, part_of(self.compared.before, [without]), applied, wanted)

    async def try_without(self, names: Collection[str], wanted: Collection[str]) -> Trial:
        """The candidate with these distributions as the baseline has them."""
        _, back = starts_of(self.compared)
        applied = tuple(name for name in self.names if name not in names)
        return await self._try(back, part_of(self.compared.before, names), applied, wanted)

    async def minimize(self, wanted: Collection[str], *, at_once: int, most: int) -> Minimum:
        """The smallest part that turns any of the wanted red."""

        async def try_part(names: frozenset[str]) -> Trial:
            return await self.try_part(names, wanted)

        async def try_less(names: frozenset[str], without: str) -> Trial:
            return await self.try_less(names, without, wanted)

        found = await minimize(self.names, try_part, try_less, at_once=at_once, most=most)
        renamed = await self._climb(found.part)
        doubtful = tuple(renamed.get(name, name) for name in found.doubtful)
        return replace(found, part=self._in_order(renamed.values()), doubtful=doubtful)

    async def _climb(self, part: tuple[str, ...]) -> dict[str, str]:
        """The same part by other names: of packages that only move together, who needs the others."""
        same = {name: name for name in part}
        if not part:
            return same
        whole = await self.resolve_part(part)
        moved = {change.name for change in self.changes_of(whole)} & set(self.names)
        if len(moved) <= len(part):
            return same
        try:
            needed_by = await find_requirers(whole, self.compared.candidate, self.matrix, self.settings)
        except MachineError as error:
            self._note(f"Which package requires {' and '.join(part)} is unknown: {error}")
            return same
        names, tried = list(part), set(part)
        for at, name in enumerate(part):
            above = [each for each in needed_by.get(name, ()) if each in moved]
            while above:
                higher = above.pop()
                if higher in tried:
                    continue
                tried.add(higher)
                instead = [*names[:at], higher, *names[at + 1 :]]
                if (await self.resolve_part(instead)).digest == whole.digest:
                    names, above = instead, [e for e in needed_by.get(higher, ()) if e in moved]
        return dict(zip(part, names, strict=True))

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
            self.say(note)

    def between(self, before: Lock, after: Lock) -> Trials:
        """Trials between two other locks; what is known is shared."""
        compared = msgspec.structs.replace(self.compared, before=before, after=after)
        diff = diff_locks(before, after, {change.name for change in self.diff.changes if change.asked})
        return replace(self, compared=compared, diff=diff, origin=self.origin or self.compared.before)

    async def resolve_part(self, names: Collection[str]) -> Lock:
        """The environment of ``try_part``."""
        return await self.resolve_versions(part_of(self.compared.after, names))

    async def resolve_versions(self, versions: Mapping[str, str]) -> Lock:
        """The environment of ``try_versions``."""
        forth, _ = starts_of(self.compared)
        return await self._resolve(forth, versions)

    async def look(self, lock: Lock) -> Seen:
        """What an environment shows; looked at once."""
        async with self._turns[lock.digest]:
            if lock.digest not in self.seen:
                number = next(self._numbers)
                if number > self.most:
                    return Seen(because=f"{self.most} trials were run, and that is the limit")
                self.seen[lock.digest] = await self.run(lock, number)
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
            reason = lock.reason
        except UsageError as error:  # a package that no index has
            reason = str(error)
        if reason:
            trial = Trial(applied=applied, outcome="unresolved", because=f"no solution: {reason}")
            return self._tell(trial, moved=(), new=True)
        new = lock.digest not in self.seen
        seen = await self.look(lock)
        outcome, because = seen.judge(wanted)
        trial = Trial(applied=applied, moved=self.changes_of(lock), outcome=outcome, because=because)
        asked = {change.name for change in self.diff.changes if change.asked}
        origin = self.compared.before if self.origin is None else self.origin
        moved = diff_locks(origin, lock, asked).changes
        if outcome == "red":
            self._keep(lock, trial, moved, tuple(each for each in wanted if each in seen.red))
        return self._tell(trial, moved=moved, new=new)

    def _keep(
        self, lock: Lock, trial: Trial, moved: tuple[LockChange, ...], explained: tuple[str, ...]
    ) -> None:
        """From something in between, what was applied is not all that it takes."""
        applied = trial.applied if self.origin is None else {change.name for change in moved}
        changes = tuple(change for change in moved if change.name in applied)
        dragged = tuple(change for change in moved if change.name not in applied)
        self.reds.append(FailingPart(lock.digest, changes, dragged, explained))

    async def _resolve(self, start: Start, versions: Mapping[str, str]) -> Lock:
        asked = (start.lock.digest, start.other.digest, frozenset(versions.items()))
        if asked not in self.locks:
            self.locks[asked] = await resolve_trial(start, versions, self.matrix, self.settings)
        return self.locks[asked]

    def _tell(self, trial: Trial, *, moved: tuple[LockChange, ...], new: bool) -> Trial:
        """Keep a trial with all that it moves from the baseline of the gate."""
        self.made.append(msgspec.structs.replace(trial, moved=moved))
        if new:
            what = describe_changes(moved) or ", ".join(trial.applied) or "the baseline"
            because = f" ({trial.because})" if trial.because else ""
            self.say(f"trial with {what}: {trial.outcome}{because}")
        return trial
