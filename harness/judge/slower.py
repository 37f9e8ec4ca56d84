"""What latency and memory add to the verdict of a gate, and how that is said."""

from __future__ import annotations

from collections.abc import Sequence

from harness.gate_records import Interval, QuantityDecision, QuantityOutcome, Speed
from harness.records import Verdict

Said = tuple[Verdict, str, str]
"""The verdict, the gate's own sentence, and the words of others that it rests on."""

_WHY: dict[QuantityOutcome, str] = {
    "unmeasured": "could not be measured",
    "control-failed": "differ between processes of the baseline itself",
    "undecided": "are undecided",
}
"""Outcomes that leave the gate inconclusive, worst first."""


NAMED = 3
"""So many quantities are named in a sentence."""


def with_speed(correctness: Said, speed: Speed | None) -> Said:
    """What is said of correctness, worsened by what latency and memory say; they never better it."""
    if speed is None or correctness[0] in {"error", "unsatisfiable", "regressed"}:
        return correctness
    slower = [each for each in speed.quantities if each.outcome == "regressed"]
    if slower:
        failed = [each for each in speed.quantities if each.outcome == "control-failed"]
        return "regressed", _regressed(slower) + _besides(failed), ""
    if correctness[0] != "pass":
        return correctness
    return _without_regression(speed.quantities)


def _without_regression(quantities: Sequence[QuantityDecision]) -> Said:
    if not quantities:
        return "inconclusive", "No quantity of latency or memory was measured", ""
    for outcome in _WHY:
        unclear = [each for each in quantities if each.outcome == outcome]
        if outcome == "control-failed":  # those that failed by themselves before those that failed with them
            unclear.sort(key=lambda each: bool(each.because))
        if unclear:
            return "inconclusive", _unclear(outcome, unclear, len(quantities)), unclear[0].because
    count = (
        "1 quantity of latency and memory is"
        if len(quantities) == 1
        else f"{len(quantities)} quantities of latency and memory are"
    )
    return "pass", f"{count} within the threshold", ""


def tell_interval(change: Interval | None) -> str:
    """A ratio with its interval: ``1.203 (1.170 to 1.241)``."""
    return "" if change is None else f"{change.ratio:.3f} ({change.low:.3f} to {change.high:.3f})"


def _regressed(slower: Sequence[QuantityDecision]) -> str:
    first = slower[0]
    verb = "takes" if first.quantity.unit == "s" else "needs"
    what = "as long" if first.quantity.unit == "s" else "as much memory"
    told = (
        f"{first.quantity.id} {verb} {tell_interval(first.change)} times {what}, "
        f"where {first.quantity.threshold:g} is allowed"
    )
    more = len(slower) - 1
    return told + (
        f"; {more} more {'quantity has' if more == 1 else 'quantities have'} regressed" if more else ""
    )


def _besides(failed: Sequence[QuantityDecision]) -> str:
    """Controls that failed beside a regression: a person should know that the machine was not quiet."""
    if not failed:
        return ""
    verb = "differs" if len(failed) == 1 else "differ"
    names = ", ".join(each.quantity.id for each in failed[:NAMED])
    if len(failed) > NAMED:
        names += f" and {len(failed) - NAMED} more"
    return f"; but {names} {verb} between processes of the baseline itself"


def _unclear(outcome: QuantityOutcome, unclear: Sequence[QuantityDecision], planned: int) -> str:
    first = unclear[0]
    told = f"{len(unclear)} of {planned} quantities {_WHY[outcome]}: {first.quantity.id}"
    interval = first.control if outcome == "control-failed" else first.change
    return f"{told}, {tell_interval(interval)}" if interval is not None else told
