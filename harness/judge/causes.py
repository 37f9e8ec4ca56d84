"""Why something is not as it was in the run before: what of the lock diff goes with it, or what else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.gate_records import ChangeKind, LockChange

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from harness.history_records import CellMeasures, Snapshot

SHOWN = 4
"""More suspects than this say nothing; the JSON has them all."""


def lock_changes(before: CellMeasures, after: CellMeasures) -> tuple[LockChange, ...]:
    """What differs in what two cells were locked to, python too; axes of the matrix first, then by name."""
    old = {"python": before.python, **before.versions}
    new = {"python": after.python, **after.versions}
    asked = before.axes.keys() | after.axes.keys() | {"python"}
    found = []
    for name in old.keys() | new.keys():
        was, now = old.get(name, ""), new.get(name, "")
        if was != now:
            kind: ChangeKind = "added" if not was else "removed" if not now else "changed"
            found.append(LockChange(name=name, kind=kind, asked=name in asked, before=was, after=now))
    return tuple(sorted(found, key=lambda each: (not each.asked, each.name)))


def say_change(change: LockChange) -> str:
    """``numpy 1.26.2 -> 2.0.2``, or what came or went."""
    if change.kind == "changed":
        return f"{change.name} {change.before} -> {change.after}"
    return f"{change.name} {change.after} is new" if change.kind == "added" else f"{change.name} is gone"


@dataclass(frozen=True)
class Suspicion:
    """Two runs, and what changed in each cell that both have; ``cells`` maps an id to the pair."""

    before: Snapshot
    after: Snapshot
    cells: dict[str, tuple[CellMeasures, CellMeasures]]
    locks: dict[str, tuple[LockChange, ...]] = field(default_factory=dict)

    @classmethod
    def between(cls, before: Snapshot, after: Snapshot) -> Suspicion:
        """Of the cells that are in both."""
        old = {cell.id: cell for cell in before.cells}
        cells = {cell.id: (old[cell.id], cell) for cell in after.cells if cell.id in old}
        return cls(before, after, cells, {name: lock_changes(*pair) for name, pair in cells.items()})

    def suspects(
        self, cell: str, changed: Collection[str], unchanged: Collection[str]
    ) -> tuple[LockChange, ...]:
        """The changes of the lock of ``cell`` that go with what happened in the cells ``changed``.

        One that happened in an ``unchanged`` cell too did no harm there, so it is left out, unless all of
        them did; one that all changed cells share comes first.
        """
        own = self.locks.get(cell, ())
        harmless = {each for name in unchanged for each in self.locks.get(name, ())}
        left = [each for each in own if each not in harmless] or list(own)
        shared = [all(each in self.locks.get(name, ()) for name in changed) for each in left]
        order = sorted(range(len(left)), key=lambda place: (not shared[place], place))
        return tuple(left[place] for place in order)

    def causes(self, cell: str, suspects: tuple[LockChange, ...]) -> tuple[str, ...]:
        """The likely causes in words; where the lock is the same, what else it can have been."""
        if suspects:
            rest = len(suspects) - SHOWN
            more = (f"and {rest} more in the lock",) if rest > 0 else ()
            return (*map(say_change, suspects[:SHOWN]), *more)
        return tuple(self._others(cell))

    def is_same(self, cell: str | None) -> bool:
        """Whether lock, subject, suite, model, machine and settings of a cell are the same in both."""
        if cell not in self.cells:
            return False
        was, now = self.cells[cell]
        return bool(was.key) and was.key == now.key

    def _others(self, cell: str) -> Iterator[str]:
        if cell not in self.cells:
            return
        was, now = self.cells[cell]
        if self.is_same(cell):
            again = was.measured_by != now.measured_by
            yield (
                "nothing that is known: measured again with the same lock, subject, suite, model and settings"
                if again
                else "the expectations: the result is the one of the run before"
            )
            return
        if self.before.machine_class != self.after.machine_class:
            yield "another class of machine"
        if was.lock != now.lock and was.versions:
            yield "other files of the same releases"
        yield from (f"{name}: {old} -> {new}" for name, old, new in fact_changes(was, now)[:SHOWN])
        commits = [each.partition("+")[0][:10] for each in (self.before.commit, self.after.commit)]
        moved = f" (commit {commits[0]} -> {commits[1]})" if all(commits) and commits[0] != commits[1] else ""
        yield f"the subject, the suite, the model or settings{moved}: the lock has the same versions"


def fact_changes(before: CellMeasures, after: CellMeasures) -> list[tuple[str, str, str]]:
    """Name, before and after of each fact about the surroundings that both processes told differently."""
    return [
        (name, before.facts[name], after.facts[name])
        for name in sorted(before.facts.keys() & after.facts.keys())
        if before.facts[name] != after.facts[name]
    ]
