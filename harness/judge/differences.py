"""Find differences of two runs in outcomes, latency and memory, without their causes."""

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


# Differences in correctness, by cell and case.

RAN = frozenset({"ok", "failed"})
"""Statuses of cells with outcomes to compare; for others the status is the whole result."""

_RANKS: dict[Outcome, int] = {"pass": 0, "note": 0, "skip": 1, "limit": 1, "xfail": 2}
"""Severity of an outcome; red outcomes are worse than all of these."""

_ROUNDING = 1e-9
"""Relative: allowed values computed from data may differ in their last digits."""


def compare_cell(before: CellMeasures, after: CellMeasures, *, moved: float) -> Iterator[Difference]:
    """Compare the status and then the common cases of a cell; ``moved`` as in ``compare``.

    A status that became expected or unexpected counts as changed.
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
    """Whether the cases of both cells can be compared."""
    return before.status in RAN and after.status in RAN


def compare_presence(before: CellMeasures, after: CellMeasures) -> Iterator[Difference]:
    """Find the cases that only one of two cells has, if both ran; a vanished case is worse."""
    if not both_ran(before, after):
        return
    old = {case.id: case for case in before.cases}
    new = {case.id: case for case in after.cases}
    for name in new.keys() - old.keys():
        red = is_red(new[name].outcome)
        kind: DifferenceKind = "new-red" if red else "check-appeared"
        yield Difference(
            kind=kind, cell=after.id, what=name, before="not there", after=_describe(new[name]), worse=red
        )
    for name in old.keys() - new.keys():
        yield Difference(
            kind="check-vanished",
            cell=after.id,
            what=name,
            before=_describe(old[name]),
            after="not there",
            worse=True,
        )


def _compare_case(cell: str, was: CaseMeasure, now: CaseMeasure, moved: float) -> Iterator[Difference]:
    kind: DifferenceKind | None = None
    if was.outcome != now.outcome:
        red, before = is_red(now.outcome), is_red(was.outcome)
        kind = "new-red" if red and not before else "gone-red" if before and not red else "outcome-changed"
    elif was.words and now.words and was.words != now.words:  # older runs did not record it
        kind = "behaviour-changed"
    elif _allowed_changed(was, now):
        kind = "allowed-changed"
    elif _has_moved(was, now, moved):
        kind = "value-moved"
    if kind is not None:
        show = {"allowed-changed": _describe_limit, "behaviour-changed": _describe_words}.get(kind, _describe)
        yield Difference(
            kind=kind,
            cell=cell,
            what=now.id,
            before=show(was),
            after=show(now),
            worse=_rank(now) > _rank(was),
            ratio=_ratio(was, now) if kind == "value-moved" else None,
        )


def _rank(case: CaseMeasure) -> int:
    return _RANKS.get(case.outcome, 3)


def _allowed_changed(was: CaseMeasure, now: CaseMeasure) -> bool:
    if (was.bound, was.unit) != (now.bound, now.unit) or (was.allowed is None) != (now.allowed is None):
        return (was.value is None) == (now.value is None)  # else one of them has no measurement
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


def _describe(case: CaseMeasure) -> str:
    """Describe the outcome of a case: ``fail: 9 ulp, at most 2``."""
    if case.bound == "none" and case.value is None:
        return case.outcome
    value = "not finite" if case.value is None else f"{case.value:.4g}"
    limit = f", {_describe_limit(case)}" if case.bound != "none" else ""
    return f"{case.outcome}: {value} {case.unit}{limit}"


def _describe_words(case: CaseMeasure) -> str:
    return case.words


def _describe_limit(case: CaseMeasure) -> str:
    """Describe the limit of a case without its unit: ``at most 2``."""
    word = {"max": "at most", "min": "at least", "equal": "exactly", "none": "anything"}[case.bound]
    return word if case.allowed is None or case.bound == "none" else f"{word} {case.allowed:.4g}"


MIN_SCENARIOS = 5
"""Minimum scenarios of the baseline that separate a slow machine from a slow scenario."""

_OUTCOME_RANKS = {"passed": 0, "undecided": 1, "control-failed": 1, "unmeasured": 1, "regressed": 2}


@dataclass(frozen=True)
class LatencyPairs:
    """Comparable scenarios by (cell, scenario), and the count of the others by reason."""

    usable: dict[tuple[str, str], tuple[LatencyMeasure, LatencyMeasure]]
    left_out: Counter[str] = field(default_factory=Counter)
    slowdown: float | None = None  # of the machine in the second run, by the baseline: above 1 is slower


def pair_latency(before: Snapshot, after: Snapshot) -> LatencyPairs:
    """Pair the scenarios that both runs measured themselves, each with a noise floor."""
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
    if len(own) < MIN_SCENARIOS:
        for key in own:
            left_out["the baseline has too few to separate a slow machine from a slow scenario"] += 1
            del usable[key]
        return LatencyPairs(usable, left_out)
    slowdown = math.exp(statistics.median(math.log(now.p50 / was.p50) for was, now in own.values()))
    return LatencyPairs(usable, left_out, slowdown)


def find_baseline(snapshot: Snapshot) -> str | None:
    """Find the id of the baseline cell; None without one."""
    return next((cell.id for cell in snapshot.cells if cell.baseline), None)


def _explain_exclusion(was: LatencyMeasure, now: LatencyMeasure) -> str:
    if min(was.p50, now.p50) <= 0 or not math.isfinite(max(was.p50, now.p50)):
        return "no time was measured"
    if was.session and was.session == now.session:
        return "reused from the same session, not measured again"
    if was.noise is None or now.noise is None:
        return "no noise floor"
    if was.ratio is None or now.ratio is None:
        return "no paired rounds of the baseline"
    return ""


def compare_latency(pairs: LatencyPairs, baseline: str | None) -> Iterator[Difference]:
    """Find scenarios whose ratio to the baseline changed by more than the product of both noise floors.

    The baseline itself is compared by its p50, divided by the slowdown of the machine.
    """
    for (cell, scenario), (was, now) in pairs.usable.items():
        beyond = (was.noise or 1.0) * (now.noise or 1.0)
        if cell == baseline:
            change, disjoint = now.p50 / was.p50 / (pairs.slowdown or 1.0), True
            texts = (f"{was.p50 * 1e6:.4g} us", f"{now.p50 * 1e6:.4g} us")
        else:
            change = (now.ratio or 1.0) / (was.ratio or 1.0)
            disjoint = _is_disjoint((was.low, was.high), (now.low, now.high))
            texts = (f"{was.ratio:.3f}x the baseline", f"{now.ratio:.3f}x the baseline")
        if disjoint and abs(math.log(change)) > math.log(beyond):
            yield Difference(
                kind="latency-changed",
                cell=cell,
                what=scenario,
                before=texts[0],
                after=texts[1],
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
    """Compare the decisions of two gates on latency and memory, on one class of machine."""
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
    """Divide the new ratio by the old one; None if their intervals overlap."""
    if was.change is None or now.change is None:
        return None
    disjoint = _is_disjoint((was.change.low, was.change.high), (now.change.low, now.change.high))
    return now.change.ratio / was.change.ratio if disjoint else None


def _describe_decision(decision: QuantityDecision) -> str:
    change = decision.change
    interval = f" {change.ratio:.3f}x ({change.low:.3f} to {change.high:.3f})" if change else ""
    return f"{decision.outcome}{interval}"
