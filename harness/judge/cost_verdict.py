"""What latency and memory mean for a gate: which quantities have risen, in words, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from harness.records import Interval, Quantity, QuantityDecision, QuantityOutcome, Speed, Verdict

Conclusion = tuple[Verdict, str, str]
"""The verdict, the sentence of the gate, and the message of a check or package behind it."""

_INCONCLUSIVE: dict[QuantityOutcome, str] = {
    "unmeasured": "could not be measured",
    "control-failed": "differ between the A/A arms",
    "undecided": "are undecided",
}
"""Outcomes that make the gate inconclusive, worst first."""


MAX_NAMES = 3
"""Maximum of quantities named in a sentence."""


def add_speed(correctness: Conclusion, speed: Speed | None) -> Conclusion:
    """Add latency and memory to the conclusion on correctness; they never improve it."""
    if speed is None or correctness[0] in {"error", "unsatisfiable", "regressed"}:
        return correctness
    if slower := list_regressed(speed):
        failed = [each for each in speed.quantities if each.outcome == "control-failed"]
        return "regressed", _describe_regressed(slower) + _describe_failed_controls(failed), ""
    if correctness[0] != "pass":
        return correctness
    return _decide_without_regression(speed.quantities)


def _decide_without_regression(quantities: Sequence[QuantityDecision]) -> Conclusion:
    if not quantities:
        return "inconclusive", "No quantity of latency or memory was measured", ""
    for outcome in _INCONCLUSIVE:
        unclear = [each for each in quantities if each.outcome == outcome]
        if outcome == "control-failed":  # own failures before those of the group
            unclear.sort(key=lambda each: bool(each.because))
        if unclear:
            return "inconclusive", _describe_unclear(outcome, unclear, len(quantities)), unclear[0].because
    count = (
        "1 quantity of latency and memory is"
        if len(quantities) == 1
        else f"{len(quantities)} quantities of latency and memory are"
    )
    return "pass", f"{count} within the threshold", ""


def list_regressed(speed: Speed) -> list[QuantityDecision]:
    """Quantities that have certainly risen above their threshold: embedding, which users wait for, first."""
    risen = [each for each in speed.quantities if each.outcome == "regressed"]
    return sorted(
        risen,
        key=lambda each: (
            each.quantity.group != "embedding",
            each.quantity.unit != "s",
            -(each.change.ratio if each.change else 0.0),
        ),
    )


def name_quantity(quantity: Quantity) -> str:
    """What the process does whose time or memory is measured: ``embedding 8 texts``, ``normalizing``."""
    verb, things = ("normalizing", "row") if quantity.group == "normalizer" else ("embedding", "text")
    if quantity.unit == "B":
        return verb
    *_, dtype, number = quantity.id.split(".")
    counted = f"one {things}" if number == "1" else f"{number} {things}s"
    return f"{verb} {counted} in {dtype}" if things == "row" or dtype != "float32" else f"{verb} {counted}"


FACTOR = 1.5
"""The ratio from which a change is told as a factor, and below which in percent."""


def describe_rise(decision: QuantityDecision) -> str:
    """A quantity with its change: ``embedding one text takes 6.0 % longer``."""
    timed = decision.quantity.unit == "s"
    ratio = decision.change.ratio if decision.change else 1.0
    name, percents = name_quantity(decision.quantity), f"{100 * (ratio - 1):.1f} %"
    if ratio < FACTOR:
        return f"{name} takes {percents} longer" if timed else f"{name} needs {percents} more memory"
    return (
        f"{name} takes {ratio:.1f} times as long" if timed else f"{name} needs {ratio:.1f} times the memory"
    )


def describe_interval(change: Interval | None) -> str:
    """Describe a ratio with its interval: ``1.203 (1.170 to 1.241)``."""
    return "" if change is None else f"{change.ratio:.3f} ({change.low:.3f} to {change.high:.3f})"


def _describe_regressed(slower: Sequence[QuantityDecision]) -> str:
    first = slower[0]
    verb = "takes" if first.quantity.unit == "s" else "needs"
    what = "as long" if first.quantity.unit == "s" else "as much memory"
    sentence = (
        f"{name_quantity(first.quantity)} {verb} {describe_interval(first.change)} times {what}, "
        f"where {first.quantity.threshold:g} is allowed"
    )
    more = len(slower) - 1
    return sentence + (
        f"; {more} more {'quantity has' if more == 1 else 'quantities have'} regressed" if more else ""
    )


def _describe_failed_controls(failed: Sequence[QuantityDecision]) -> str:
    """Describe the controls that failed next to a regression: they show a noisy machine."""
    if not failed:
        return ""
    verb = "differs" if len(failed) == 1 else "differ"
    names = ", ".join(each.quantity.id for each in failed[:MAX_NAMES])
    if len(failed) > MAX_NAMES:
        names += f" and {len(failed) - MAX_NAMES} more"
    return f"; but {names} {verb} between the A/A arms"


def _describe_unclear(outcome: QuantityOutcome, unclear: Sequence[QuantityDecision], planned: int) -> str:
    first = unclear[0]
    sentence = f"{len(unclear)} of {planned} quantities {_INCONCLUSIVE[outcome]}: {first.quantity.id}"
    interval = first.control if outcome == "control-failed" else first.change
    return f"{sentence}, {describe_interval(interval)}" if interval is not None else sentence
