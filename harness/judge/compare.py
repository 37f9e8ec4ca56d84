"""Compare two runs: their differences, of a closed set of kinds, and the likely causes in their locks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from harness.errors import UsageError
from harness.judge.differences import (
    both_ran,
    compare_cell,
    compare_latency,
    compare_presence,
    compare_quantities,
    find_baseline,
    pair_latency,
)
from harness.judge.snapshot import summarize_snapshot
from harness.records import ChangeKind, Comparison, Difference, DifferenceKind, LockChange

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harness.judge.differences import LatencyPairs
    from harness.records import CellMeasures, Snapshot, Verdict


# Likely causes of a difference: changes of the lock, or of something else.

MAX_CAUSES = 4
"""Maximum of likely changes in a text; the JSON has all of them."""


def diff_locks(before: CellMeasures, after: CellMeasures) -> tuple[LockChange, ...]:
    """Diff the locks of two cells, including python; axes of the matrix first, then by name."""
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


def describe_change(change: LockChange) -> str:
    """Describe a change: ``numpy 1.26.2 -> 2.0.2``, ``scipy 1.17.0 is new``, ``six is gone``."""
    if change.kind == "changed":
        return f"{change.name} {change.before} -> {change.after}"
    return f"{change.name} {change.after} is new" if change.kind == "added" else f"{change.name} is gone"


@dataclass(frozen=True)
class RunPair:
    """Two runs, their common cells (id -> the two cells), and the changes in the lock of each."""

    before: Snapshot
    after: Snapshot
    cells: dict[str, tuple[CellMeasures, CellMeasures]]
    locks: dict[str, tuple[LockChange, ...]] = field(default_factory=dict)

    @classmethod
    def between(cls, before: Snapshot, after: Snapshot) -> RunPair:
        """Pair the cells that are in both runs."""
        old = {cell.id: cell for cell in before.cells}
        cells = {cell.id: (old[cell.id], cell) for cell in after.cells if cell.id in old}
        return cls(before, after, cells, {name: diff_locks(*pair) for name, pair in cells.items()})

    def find_likely_changes(
        self, cell: str, changed: Collection[str], unchanged: Collection[str]
    ) -> tuple[LockChange, ...]:
        """Find the lock changes of ``cell`` that can explain a difference in the cells ``changed``.

        Changes that are also in an ``unchanged`` cell are excluded, unless that excludes all. Changes common
        to all changed cells come first.
        """
        own = self.locks.get(cell, ())
        harmless = {each for name in unchanged for each in self.locks.get(name, ())}
        left = [each for each in own if each not in harmless] or list(own)
        shared = [all(each in self.locks.get(name, ()) for name in changed) for each in left]
        order = sorted(range(len(left)), key=lambda place: (not shared[place], place))
        return tuple(left[place] for place in order)

    def describe_causes(self, cell: str, likely: tuple[LockChange, ...]) -> tuple[str, ...]:
        """Describe the likely causes; without a change of the lock, the other possible ones."""
        if likely:
            rest = len(likely) - MAX_CAUSES
            more = (f"and {rest} more in the lock",) if rest > 0 else ()
            return (*map(describe_change, likely[:MAX_CAUSES]), *more)
        return tuple(self._describe_other_causes(cell))

    def is_same(self, cell: str | None) -> bool:
        """Whether lock, subject, suite, model, machine and settings of a cell are the same in both runs."""
        if cell not in self.cells:
            return False
        was, now = self.cells[cell]
        return bool(was.key) and was.key == now.key

    def _describe_other_causes(self, cell: str) -> Iterator[str]:
        if cell not in self.cells:
            return
        was, now = self.cells[cell]
        if self.is_same(cell):
            again = was.measured_by != now.measured_by
            yield (
                "none known: measured again with the same lock, subject, suite, model and settings"
                if again
                else "the expectations: the result is reused from the run before"
            )
            return
        if self.before.machine_class != self.after.machine_class:
            yield "another class of machine"
        if was.lock != now.lock and was.versions:
            yield "other files of the same releases"
        yield from (f"{name}: {old} -> {new}" for name, old, new in diff_facts(was, now)[:MAX_CAUSES])
        commits = [each.partition("+")[0][:10] for each in (self.before.commit, self.after.commit)]
        moved = f" (commit {commits[0]} -> {commits[1]})" if all(commits) and commits[0] != commits[1] else ""
        yield f"the subject, the suite, the model or settings{moved}: the lock has the same versions"


def diff_facts(before: CellMeasures, after: CellMeasures) -> list[tuple[str, str, str]]:
    """Diff the facts about the process that both cells recorded: name, before, after."""
    return [
        (name, before.facts[name], after.facts[name])
        for name in sorted(before.facts.keys() & after.facts.keys())
        if before.facts[name] != after.facts[name]
    ]


DEFAULT_MOVED = 0.1
"""Default of ``moved`` in ``compare``: a tenth of the allowed value."""

_UNEXPLAINED: frozenset[DifferenceKind] = frozenset(
    {"cell-appeared", "cell-vanished", "lock-changed", "surroundings-changed", "verdict-changed"}
)
"""Kinds for which no cause in the lock is given."""

_VERDICTS: dict[Verdict, int] = {"pass": 0, "inconclusive": 1}
"""Severity of a verdict; any other verdict is worse."""


def compare(before: Snapshot, after: Snapshot, *, moved: float = DEFAULT_MOVED) -> Comparison:
    """Compare two runs.

    Args:
        before: the earlier run, or any other reference.
        after: the later run; a comparison fails if something is worse in it.
        moved: smallest reported change of a measured value, as a share of the allowed value (without one,
            of the value itself).

    Raises:
        UsageError: the runs have no cell in common.
    """
    runs = RunPair.between(before, after)
    if not runs.cells and (before.cells or after.cells):
        raise UsageError(
            f"{before.run} ({before.kind}, {before.matrix}) and {after.run} ({after.kind}, {after.matrix}) "
            "have no cell in common, so there is nothing to compare"
        )
    same_class = bool(after.machine_class) and before.machine_class == after.machine_class
    baselines = {find_baseline(each) for each in (before, after)} - {None}  # None: excluded by a selection
    same_baseline = len(baselines) < 2
    pairs = pair_latency(before, after) if same_class and same_baseline else None
    found = list(_find_differences(runs, pairs, moved=moved, same_class=same_class))
    if not any(each.worse for each in found):
        found += _compare_verdicts(before, after)
    return Comparison(
        before=summarize_snapshot(before),
        after=summarize_snapshot(after),
        same_class=same_class,
        cells=len(runs.cells),
        cases=sum(
            len({case.id for case in was.cases} & {case.id for case in now.cases})
            for was, now in runs.cells.values()
            if both_ran(was, now)
        ),
        latency=len(pairs.usable) if pairs else 0,
        notes=tuple(_describe_notes(runs, pairs, same_class=same_class, same_baseline=same_baseline)),
        differences=tuple(_explain(found, runs, pairs)),
    )


def _find_differences(
    runs: RunPair, pairs: LatencyPairs | None, *, moved: float, same_class: bool
) -> Iterator[Difference]:
    before, after = runs.before, runs.after
    whole = not before.subset and not after.subset
    if whole:
        yield from _compare_cell_presence(before, after)
    for name, (was, now) in runs.cells.items():
        changes = runs.locks[name]
        if changes:
            yield Difference(kind="lock-changed", cell=name, changes=changes)
        if same_class and diff_facts(was, now):
            facts = "; ".join(f"{fact}: {old} -> {new}" for fact, old, new in diff_facts(was, now))
            yield Difference(kind="surroundings-changed", cell=name, after=facts)
        yield from compare_cell(was, now, moved=moved)
        if whole:
            yield from sorted(compare_presence(was, now), key=lambda each: each.what)
    if pairs is not None:
        yield from compare_latency(pairs, find_baseline(after))
    if same_class:
        yield from compare_quantities(before, after)


def _compare_verdicts(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    """Compare the verdicts of equal sets of cells: a stale expectation shows in no cell."""
    old, new = (_VERDICTS.get(each.verdict, 2) for each in (before, after))
    asked = [(each.kind, each.matrix, {cell.id for cell in each.cells}) for each in (before, after)]
    if new > old and asked[0] == asked[1]:
        yield Difference(
            kind="verdict-changed",
            cell="",
            before=before.verdict,
            after=after.verdict,
            worse=True,
            causes=(after.sentence,),
        )


def _compare_cell_presence(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    old, new = {cell.id for cell in before.cells}, {cell.id for cell in after.cells}
    for cell in after.cells:
        if cell.id not in old:
            yield Difference(kind="cell-appeared", cell=cell.id, after=cell.status, worse=cell.red)
    for cell in before.cells:
        if cell.id not in new:
            yield Difference(kind="cell-vanished", cell=cell.id, before=cell.status, worse=True)


def _explain(found: Iterable[Difference], runs: RunPair, pairs: LatencyPairs | None) -> Iterator[Difference]:
    """Add the likely causes to each difference: changes in its cells that are not in other cells.

    A change of latency between identical cells is reported, but is not worse: no change can explain it.
    """
    differences = list(found)
    changed: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in differences:
        if each.kind not in _UNEXPLAINED:
            changed[_family_of(each), each.what].add(each.cell)
    baseline, compared = find_baseline(runs.after), _find_compared_cells(runs, pairs)
    for each in differences:
        if each.kind in _UNEXPLAINED:
            yield each
            continue
        cells = changed[_family_of(each), each.what]
        unchanged = (compared[_family_of(each), each.what] if each.what else set(runs.cells)) - cells
        likely = runs.find_likely_changes(each.cell, cells, unchanged)
        causes, worse = runs.describe_causes(each.cell, likely), each.worse
        if each.kind == "latency-changed":
            if each.cell != baseline and runs.locks.get(baseline or ""):
                causes = (*causes, "the lock of the baseline changed too")
            worse = worse and not all(map(runs.is_same, {each.cell, baseline}))
        yield msgspec.structs.replace(each, causes=causes, changes=likely, worse=worse)


def _family_of(difference: Difference) -> str:
    """The group of kinds that share their causes: all differences of a case are one group."""
    return difference.kind if difference.kind in {"latency-changed", "quantity-changed"} else "case"


def _find_compared_cells(runs: RunPair, pairs: LatencyPairs | None) -> Mapping[tuple[str, str], set[str]]:
    """Find the cells that both runs have: family and what -> cells."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for cell, scenario in pairs.usable if pairs else ():
        found["latency-changed", scenario].add(cell)
    for name, (was, now) in runs.cells.items():
        if both_ran(was, now):
            for case in now.cases:
                found["case", case.id].add(name)
    return found


def _describe_notes(
    runs: RunPair, pairs: LatencyPairs | None, *, same_class: bool, same_baseline: bool
) -> Iterator[str]:
    before, after = runs.before, runs.after
    if before.matrix != after.matrix:
        yield f"the matrices differ ({before.matrix}, {after.matrix}): only common cells are compared"
    if before.subset or after.subset:
        yield "one run covers only a part of its matrix: missing cells and checks are not reported"
    if not same_class:
        names = [each.machine.get("cpu", "unknown machine") for each in (before, after)]
        yield (
            "the machine classes differ: only correctness is compared, "
            f"not latency and memory ({names[0]}; {names[1]})"
        )
    elif not same_baseline:
        yield "the baselines differ: latency is not compared"
    if pairs is not None:
        yield from (
            f"latency of {count} scenarios is not compared: {reason}"
            for reason, count in pairs.left_out.items()
        )
        if pairs.slowdown is not None:
            yield (
                f"the baseline took {pairs.slowdown:.2f}x its earlier time over all its scenarios: this is "
                "attributed to the machine and removed"
            )
