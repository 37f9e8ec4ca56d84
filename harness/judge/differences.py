"""Differences of two runs in outcomes, latency and memory, cell by cell; causes come later."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.judge.outcomes import is_red
from harness.records import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records import (
        CaseMeasure,
        CellMeasures,
        DifferenceKind,
        LatencyMeasure,
        Outcome,
        QuantityDecision,
        Snapshot,
    )


# What two runs differ in as to correctness, cell by cell and case by case; causes come later.

RAN = frozenset({"ok", "failed"})
"""Of a cell of another status there are no outcomes to compare, its status says it all."""

_RANKS: dict[Outcome, int] = {"pass": 0, "skip": 1, "xfail": 2}
"""How bad it is; what is red is worse than all of these."""

_ROUNDING = 1e-9
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
            before=_describe_status(before),
            after=_describe_status(after),
            worse=after.red,
        )
    if not both_ran(before, after):
        return
    old = {case.id: case for case in before.cases}
    for case in after.cases:
        if case.id in old:
            yield from _compare_case(after.id, old[case.id], case, moved)


def _describe_status(cell: CellMeasures) -> str:
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
            kind=kind,
            cell=after.id,
            what=name,
            before="not there",
            after=_describe_case(new[name]),
            worse=red,
        )
    for name in old.keys() - new.keys():
        yield Difference(
            kind="check-vanished",
            cell=after.id,
            what=name,
            before=_describe_case(old[name]),
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
        say = {"allowed-changed": _describe_limit, "behaviour-changed": _describe_words}.get(
            kind, _describe_case
        )
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
    return not math.isclose(was.allowed, now.allowed, rel_tol=_ROUNDING)


def _has_moved(was: CaseMeasure, now: CaseMeasure, moved: float) -> bool:
    if was.value is None or now.value is None:
        return was.value is not now.value
    scale = abs(now.allowed) if now.allowed else max(abs(was.value), abs(now.value))
    return abs(now.value - was.value) > moved * scale


def _ratio(was: CaseMeasure, now: CaseMeasure) -> float | None:
    if was.value is None or now.value is None or was.unit != now.unit or was.value <= 0 or now.value <= 0:
        return None
    return now.value / was.value


def _describe_case(case: CaseMeasure) -> str:
    """``fail: 9 ulp, at most 2``."""
    if case.bound == "none" and case.value is None:
        return case.outcome
    value = "not finite" if case.value is None else f"{case.value:.4g}"
    limit = f", {_describe_limit(case)}" if case.bound != "none" else ""
    return f"{case.outcome}: {value} {case.unit}{limit}"


def _describe_words(case: CaseMeasure) -> str:
    return case.words


def _describe_limit(case: CaseMeasure) -> str:
    """``at most 2``; without a unit, which stands beside the value."""
    word = {"max": "at most", "min": "at least", "equal": "exactly", "none": "anything"}[case.bound]
    return word if case.allowed is None or case.bound == "none" else f"{word} {case.allowed:.4g}"


MIN_BASELINE_SCENARIOS = 5
"""Scenarios of the baseline, fewer than which do not tell a slow machine from a slow scenario."""

_OUTCOME_RANKS = {"passed": 0, "undecided": 1, "control-failed": 1, "unmeasured": 1, "regressed": 2}


@dataclass(frozen=True)
class LatencyPairs:
    """Scenarios that can be compared, by (cell, scenario), and how many cannot, by reason."""

    usable: dict[tuple[str, str], tuple[LatencyMeasure, LatencyMeasure]]
    left_out: Counter[str] = field(default_factory=Counter)
    drift: float | None = None  # how much slower the second run's machine was, from its baseline cell


def pair_latency(before: Snapshot, after: Snapshot) -> LatencyPairs:
    """The scenarios that both runs measured anew, each with a noise floor."""
    old = {(each.cell, each.scenario): each for each in before.latency}
    left_out: Counter[str] = Counter()
    usable = {}
    for now in after.latency:
        key = (now.cell, now.scenario)
        if key in old:
            reason = _explain_exclusion(old[key], now)
            if reason:
                left_out[reason] += 1
            else:
                usable[key] = (old[key], now)
    baseline = find_baseline(after)
    own = {key: pair for key, pair in usable.items() if key[0] == baseline}
    if len(own) < MIN_BASELINE_SCENARIOS:
        for key in own:
            left_out["of the baseline, too few to tell a slow machine from a slow scenario"] += 1
            del usable[key]
        return LatencyPairs(usable, left_out)
    drift = math.exp(statistics.median(math.log(now.p50 / was.p50) for was, now in own.values()))
    return LatencyPairs(usable, left_out, drift)


def find_baseline(snapshot: Snapshot) -> str | None:
    """The id of the baseline cell, None without one."""
    return next((cell.id for cell in snapshot.cells if cell.baseline), None)


def _explain_exclusion(was: LatencyMeasure, now: LatencyMeasure) -> str:
    if min(was.p50, now.p50) <= 0 or not math.isfinite(max(was.p50, now.p50)):
        return "without a time"
    if was.session and was.session == now.session:
        return "taken over from the same session, not measured again"
    if was.noise is None or now.noise is None:
        return "without a noise floor"
    if was.ratio is None or now.ratio is None:
        return "without rounds of the baseline beside them"
    return ""


def compare_latency(pairs: LatencyPairs, baseline: str | None) -> Iterator[Difference]:
    """Scenarios whose ratio to the baseline changed by more than both noise floors together.

    And the baseline itself by its p50, less what all its scenarios have in common: the machine's doing.
    """
    for (cell, scenario), (was, now) in pairs.usable.items():
        beyond = (was.noise or 1.0) * (now.noise or 1.0)
        if cell == baseline:
            change, disjoint = now.p50 / was.p50 / (pairs.drift or 1.0), True
            said = (f"{was.p50 * 1e6:.4g} us", f"{now.p50 * 1e6:.4g} us")
        else:
            change = (now.ratio or 1.0) / (was.ratio or 1.0)
            disjoint = _is_disjoint((was.low, was.high), (now.low, now.high))
            said = (f"{was.ratio:.3f}x the baseline", f"{now.ratio:.3f}x the baseline")
        if disjoint and abs(math.log(change)) > math.log(beyond):
            yield Difference(
                kind="latency-changed",
                cell=cell,
                what=scenario,
                before=said[0],
                after=said[1],
                worse=change > 1,
                ratio=change,
                beyond=beyond,
            )


def _is_disjoint(was: tuple[float | None, float | None], now: tuple[float | None, float | None]) -> bool:
    (old_low, old_high), (low, high) = was, now
    if old_low is None or old_high is None or low is None or high is None:
        return False
    return low > old_high or high < old_low


def compare_quantities(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    """What two gates on one class of machine decided of latency and memory."""
    old = {each.quantity.id: each for each in before.quantities}
    for now in after.quantities:
        was = old.get(now.quantity.id)
        if was is None:
            continue
        decided = was.outcome != now.outcome
        change = _compare_changes(was, now)
        if decided or change is not None:
            worse = (
                _OUTCOME_RANKS[now.outcome] > _OUTCOME_RANKS[was.outcome] if decided else (change or 1.0) > 1
            )
            yield Difference(
                kind="quantity-changed",
                cell="candidate",
                what=now.quantity.id,
                before=_describe_decision(was),
                after=_describe_decision(now),
                worse=worse,
                ratio=change,
            )


def _compare_changes(was: QuantityDecision, now: QuantityDecision) -> float | None:
    """New ratio over old, where their intervals do not meet."""
    if was.change is None or now.change is None:
        return None
    apart = _is_disjoint((was.change.low, was.change.high), (now.change.low, now.change.high))
    return now.change.ratio / was.change.ratio if apart else None


def _describe_decision(decision: QuantityDecision) -> str:
    change = decision.change
    said = f" {change.ratio:.3f}x ({change.low:.3f} to {change.high:.3f})" if change else ""
    return f"{decision.outcome}{said}"
