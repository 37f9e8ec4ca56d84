"""Latency and memory of two runs of one machine class: what changed beyond the noise of both."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.history_records import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.gate_records import QuantityDecision
    from harness.history_records import LatencyMeasure, Snapshot

ENOUGH = 5
"""Scenarios of the baseline, fewer than which do not tell a slow machine from a slow scenario."""

_RANKS = {"passed": 0, "undecided": 1, "control-failed": 1, "unmeasured": 1, "regressed": 2}


@dataclass(frozen=True)
class Pairs:
    """Scenarios that can be compared, by (cell, scenario), and how many cannot, by reason."""

    usable: dict[tuple[str, str], tuple[LatencyMeasure, LatencyMeasure]]
    left_out: Counter[str] = field(default_factory=Counter)
    drift: float | None = None  # how much slower the second run's machine was, from its baseline cell


def pair_latency(before: Snapshot, after: Snapshot) -> Pairs:
    """The scenarios that both runs measured anew, each with a noise floor."""
    old = {(each.cell, each.scenario): each for each in before.latency}
    left_out: Counter[str] = Counter()
    usable = {}
    for now in after.latency:
        key = (now.cell, now.scenario)
        if key in old:
            reason = _why_not(old[key], now)
            if reason:
                left_out[reason] += 1
            else:
                usable[key] = (old[key], now)
    baseline = baseline_of(after)
    own = {key: pair for key, pair in usable.items() if key[0] == baseline}
    if len(own) < ENOUGH:
        for key in own:
            left_out["of the baseline, too few to tell a slow machine from a slow scenario"] += 1
            del usable[key]
        return Pairs(usable, left_out)
    drift = math.exp(statistics.median(math.log(now.p50 / was.p50) for was, now in own.values()))
    return Pairs(usable, left_out, drift)


def baseline_of(snapshot: Snapshot) -> str | None:
    """The id of the baseline cell, None without one."""
    return next((cell.id for cell in snapshot.cells if cell.baseline), None)


def _why_not(was: LatencyMeasure, now: LatencyMeasure) -> str:
    if min(was.p50, now.p50) <= 0 or not math.isfinite(max(was.p50, now.p50)):
        return "without a time"
    if was.session and was.session == now.session:
        return "taken over from the same session, not measured again"
    if was.noise is None or now.noise is None:
        return "without a noise floor"
    if was.ratio is None or now.ratio is None:
        return "without rounds of the baseline beside them"
    return ""


def compare_latency(pairs: Pairs, baseline: str | None) -> Iterator[Difference]:
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
            disjoint = _disjoint((was.low, was.high), (now.low, now.high))
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


def _disjoint(was: tuple[float | None, float | None], now: tuple[float | None, float | None]) -> bool:
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
        change = _apart(was, now)
        if decided or change is not None:
            worse = _RANKS[now.outcome] > _RANKS[was.outcome] if decided else (change or 1.0) > 1
            yield Difference(
                kind="quantity-changed",
                cell="candidate",
                what=now.quantity.id,
                before=_say(was),
                after=_say(now),
                worse=worse,
                ratio=change,
            )


def _apart(was: QuantityDecision, now: QuantityDecision) -> float | None:
    """New ratio over old, where their intervals do not meet."""
    if was.change is None or now.change is None:
        return None
    apart = _disjoint((was.change.low, was.change.high), (now.change.low, now.change.high))
    return now.change.ratio / was.change.ratio if apart else None


def _say(decision: QuantityDecision) -> str:
    change = decision.change
    said = f" {change.ratio:.3f}x ({change.low:.3f} to {change.high:.3f})" if change else ""
    return f"{decision.outcome}{said}"
