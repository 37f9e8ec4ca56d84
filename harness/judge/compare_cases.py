"""What two runs differ in as to correctness, cell by cell and case by case; causes come later."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.history_records import Difference
from harness.judge.outcomes import is_red

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.history_records import CaseMeasure, CellMeasures, DifferenceKind
    from harness.records import Outcome

RAN = frozenset({"ok", "failed"})
"""Of a cell of another status there are no outcomes to compare, its status says it all."""

_RANKS: dict[Outcome, int] = {"pass": 0, "skip": 1, "xfail": 2}
"""How bad it is; what is red is worse than all of these."""

_SAME = 1e-9
"""Relative: an allowed value that is computed from data may differ in its last digits."""


def compare_cell(before: CellMeasures, after: CellMeasures, *, moved: float) -> Iterator[Difference]:
    """Status, then cases in the order of the plan; ``moved`` is the share of what is allowed.

    A case that one of the two does not have is left to ``compare_presence``. A status that is no longer
    expected, or expected now, is another one.
    """
    if before.status != after.status:
        yield Difference(
            kind="status-changed",
            cell=after.id,
            before=before.status,
            after=after.status,
            worse=after.red or (after.status not in RAN and before.status in RAN),
        )
    elif before.red != after.red:
        yield Difference(
            kind="status-changed",
            cell=after.id,
            before=_say_status(before),
            after=_say_status(after),
            worse=after.red,
        )
    if not both_ran(before, after):
        return
    old = {case.id: case for case in before.cases}
    for case in after.cases:
        if case.id in old:
            yield from _compare_case(after.id, old[case.id], case, moved)


def _say_status(cell: CellMeasures) -> str:
    return f"{cell.status}, {'red' if cell.red else 'as expected'}"


def both_ran(before: CellMeasures, after: CellMeasures) -> bool:
    """Whether the cases of both can be compared."""
    return before.status in RAN and after.status in RAN


def compare_presence(before: CellMeasures, after: CellMeasures) -> Iterator[Difference]:
    """Cases that only one of two cells has, both of which ran; one that is no longer checked is worse."""
    if not both_ran(before, after):
        return
    old = {case.id: case for case in before.cases}
    new = {case.id: case for case in after.cases}
    for name in new.keys() - old.keys():
        red = is_red(new[name].outcome)
        kind: DifferenceKind = "new-red" if red else "check-appeared"
        yield Difference(
            kind=kind, cell=after.id, what=name, before="not there", after=_say(new[name]), worse=red
        )
    for name in old.keys() - new.keys():
        yield Difference(
            kind="check-vanished",
            cell=after.id,
            what=name,
            before=_say(old[name]),
            after="not there",
            worse=True,
        )


def _compare_case(cell: str, was: CaseMeasure, now: CaseMeasure, moved: float) -> Iterator[Difference]:
    kind: DifferenceKind | None = None
    if was.outcome != now.outcome:
        red, before = is_red(now.outcome), is_red(was.outcome)
        kind = "new-red" if red and not before else "gone-red" if before and not red else "outcome-changed"
    elif was.words and now.words and was.words != now.words:  # of older runs nothing is known
        kind = "behaviour-changed"
    elif _allowed_changed(was, now):
        kind = "allowed-changed"
    elif _has_moved(was, now, moved):
        kind = "value-moved"
    if kind is not None:
        say = {"allowed-changed": _say_limit, "behaviour-changed": _say_words}.get(kind, _say)
        yield Difference(
            kind=kind,
            cell=cell,
            what=now.id,
            before=say(was),
            after=say(now),
            worse=_rank(now) > _rank(was),
            ratio=_ratio(was, now) if kind == "value-moved" else None,
        )


def _rank(case: CaseMeasure) -> int:
    return _RANKS.get(case.outcome, 3)


def _allowed_changed(was: CaseMeasure, now: CaseMeasure) -> bool:
    if (was.bound, was.unit) != (now.bound, now.unit) or (was.allowed is None) != (now.allowed is None):
        return (was.value is None) == (now.value is None)  # else nothing was measured in one of them
    if was.allowed is None or now.allowed is None:
        return False
    return not math.isclose(was.allowed, now.allowed, rel_tol=_SAME)


def _has_moved(was: CaseMeasure, now: CaseMeasure, moved: float) -> bool:
    if was.value is None or now.value is None:
        return was.value is not now.value
    scale = abs(now.allowed) if now.allowed else max(abs(was.value), abs(now.value))
    return abs(now.value - was.value) > moved * scale


def _ratio(was: CaseMeasure, now: CaseMeasure) -> float | None:
    if was.value is None or now.value is None or was.unit != now.unit or was.value <= 0 or now.value <= 0:
        return None
    return now.value / was.value


def _say(case: CaseMeasure) -> str:
    """``fail: 9 ulp, at most 2``."""
    if case.bound == "none" and case.value is None:
        return case.outcome
    value = "not finite" if case.value is None else f"{case.value:.4g}"
    limit = f", {_say_limit(case)}" if case.bound != "none" else ""
    return f"{case.outcome}: {value} {case.unit}{limit}"


def _say_words(case: CaseMeasure) -> str:
    return case.words


def _say_limit(case: CaseMeasure) -> str:
    """``at most 2``; without a unit, which stands beside the value."""
    word = {"max": "at most", "min": "at least", "equal": "exactly", "none": "anything"}[case.bound]
    return word if case.allowed is None or case.bound == "none" else f"{word} {case.allowed:.4g}"
