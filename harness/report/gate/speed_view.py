"""Latency and memory of a gate: units, intervals, reasons and remedies as text."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.alpha_spending import FIRST_BLOCKS
from harness.judge.cost_verdict import list_regressed
from harness.report.gate.view import gate_command

if TYPE_CHECKING:
    from harness.records import Gate, Interval, QuantityDecision, QuantityOutcome, Speed


WORST_FIRST: tuple[QuantityOutcome, ...] = (
    "regressed",
    "control-failed",
    "unmeasured",
    "undecided",
    "passed",
)
"""The order of outcomes, the worst first."""

MOST_TIMES = 8
"""Largest factor of the budget that is worth a try."""

_MORE_TIME = "Use a larger budget"
_AT_THRESHOLD = (
    "The ratio is so near its threshold that no budget decides: look at the numbers, and set the threshold "
    "in [gate] of the matrix"
)


def show_value(value: float | None, unit: str, *, unicode: bool = True) -> str:
    """Format seconds or bytes in a readable unit: ``12.3 µs``, ``1.25 ms``, ``312 MB``."""
    if value is None or not math.isfinite(value):
        return "-"
    if unit == "B":
        return f"{value / 1e6:.0f} MB" if value >= 1e8 else f"{value / 1e6:.3g} MB"
    rounded = float(f"{value:.3g}")  # first, or 999.9 µs would be 1e+03 µs
    for factor, name in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if rounded * factor >= 1 or factor == 1e6:
            return f"{rounded * factor:.3g} {name if unicode else name.replace('µ', 'u')}"
    raise AssertionError(unit)


def show_change(change: Interval | None) -> str:
    """Format a ratio and its interval: ``1.021x (1.012 to 1.030)``; a dash without one."""
    return "-" if change is None else f"{change.ratio:.3f}x ({show_interval(change)})"


def show_interval(interval: Interval | None) -> str:
    """Format the interval of a ratio."""
    return "-" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"


def show_percents(ratio: float) -> str:
    """Format a ratio as a change in percent: ``+6.1 %``, ``\u22123.0 %``, ``0.0 %``."""
    percents = f"{100 * (ratio - 1):+.1f}"
    return f"{'0.0' if percents in {'+0.0', '-0.0'} else percents} %".replace("-", "\N{MINUS SIGN}")


def show_limit(decision: QuantityDecision) -> str:
    """Format the threshold of a quantity as the largest allowed change: ``+5 %``."""
    return f"{100 * (decision.quantity.threshold - 1):+.4g} %"


def show_noise(control: Interval | None) -> str:
    """Format the noise floor in percent: ``\u00b11.2 %``."""
    if control is None or control.low <= 0 or not math.isfinite(control.high):
        return "-"
    return f"\N{PLUS-MINUS SIGN}{100 * (max(control.high, 1 / control.low) - 1):.1f} %"


def show_percent_interval(interval: Interval | None) -> str:
    """Format the interval of a ratio in percent: ``+5.2 % to +6.9 %``."""
    if interval is None or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return "-" if interval is None else show_interval(interval)
    return f"{show_percents(interval.low)} to {show_percents(interval.high)}"


def show_threshold(decision: QuantityDecision) -> str:
    """Format the largest allowed ratio of a quantity."""
    return f"{decision.quantity.threshold:g}x"


def show_floor(control: Interval | None) -> str:
    """Format the noise floor, the ratio of two processes of the baseline, as a factor >= 1."""
    if control is None or control.low <= 0 or not math.isfinite(control.high):
        return "-"
    return f"{max(control.high, 1 / control.low):.3f}x"


def show_duration(seconds: float) -> str:
    """Format seconds: ``45 s``, ``8 min 12 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return " ".join(filter(None, [f"{minutes} min" if minutes else "", f"{rest} s" if rest else ""])) or "0 s"


def worst_first(speed: Speed) -> list[QuantityDecision]:
    """Sort the quantities by outcome, the worst first, then by the plan."""
    return sorted(speed.quantities, key=lambda each: WORST_FIRST.index(each.outcome))


def regressed(speed: Speed | None) -> list[QuantityDecision]:
    """Quantities that have certainly risen above their threshold, embedding before normalizing."""
    return [] if speed is None else list_regressed(speed)


def unclear(speed: Speed | None) -> list[QuantityDecision]:
    """Undecided quantities, the worst reason first."""
    if speed is None:
        return []
    return [each for each in worst_first(speed) if each.outcome not in {"regressed", "passed"}]


def count_outcomes(decisions: Sequence[QuantityDecision]) -> str:
    """Count the quantities by outcome."""
    outcomes = [each.outcome for each in decisions]
    counts = {outcome: outcomes.count(outcome) for outcome in WORST_FIRST}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count) or "none"


def describe_effort(speed: Speed) -> str:
    """Describe the basis of the numbers, and the invalid blocks."""
    invalid = f" {_describe_invalid(speed)}." if speed.void else ""
    return (
        f"Ratios are candidate over baseline, of fresh processes in pairs; the joint confidence of all "
        f"intervals is {speed.confidence * 100:g} %. Noise is the baseline against itself. "
        f"Measured for {show_duration(speed.spent)} of {show_duration(speed.budget)}.{invalid}"
        f"{_describe_left_out(speed)}"
    )


def _describe_left_out(speed: Speed) -> str:
    """Describe blocks excluded from a change: the largest number over all quantities."""
    most = max((each.left_out for each in speed.quantities), default=0)
    if not most:
        return ""
    processes = "1 process" if most == 1 else f"{most} processes"
    return (
        f" Up to {processes} per arm are excluded from a ratio: the A/A ratio of their block is an outlier."
    )


def _describe_invalid(speed: Speed) -> str:
    """``3 invalid blocks were excluded: 2 of the normalizer by candidate, 1 of the embedding by again``."""
    causes = Counter((each.group, " and ".join(each.arms) or "no arm alone") for each in speed.void)
    by_cause = ", ".join(f"{count} of the {group} by {arms}" for (group, arms), count in causes.items())
    count = len(speed.void)
    return f"{count} invalid {'block was' if count == 1 else 'blocks were'} excluded: {by_cause}"


def describe_why(decision: QuantityDecision, speed: Speed) -> str:
    """Describe why a quantity is undecided, without the messages of packages."""
    limit, count = show_threshold(decision), decision.blocks
    processes = f"{count} {'process' if count == 1 else 'processes'} per arm"
    if decision.outcome == "control-failed" and decision.because:
        return "Too many quantities of its group differ between the A/A arms: the machine is too noisy"
    if decision.outcome == "control-failed":
        apart = show_interval(decision.control)
        return f"The A/A arms differ ({apart}): the machine is too noisy for a decision"
    if decision.outcome == "unmeasured":
        return "The measurement failed"
    budget = show_duration(speed.budget)
    whole = speed.spent >= 0.9 * speed.budget  # the rest of the budget is too short for another block
    spent = f"the budget of {budget} is spent" if whole else f"it ended after {show_duration(speed.spent)}"
    if decision.change is None:
        return f"{processes} {'is' if count == 1 else 'are'} too few for an interval, and {spent}"
    return f"{show_interval(decision.change)} lies on both sides of {limit} after {processes}, and {spent}"


def group_why(decisions: Sequence[QuantityDecision], speed: Speed) -> dict[tuple[str, str], list[str]]:
    """Group the quantities by reason: the reason of the gate, and the message of a package."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in decisions:
        grouped[describe_why(each, speed), each.because].append(each.quantity.id)
    return grouped


@dataclass(frozen=True)
class Remedy:
    """The advice for undecided quantities, and the command for it."""

    advice: str
    command: str


def find_remedies(gate: Gate, decisions: Sequence[QuantityDecision]) -> list[Remedy]:
    """Find remedies for these quantities, grouped by advice."""
    grouped: dict[str, list[QuantityDecision]] = defaultdict(list)
    for each in decisions:
        grouped[_advise(each)].append(each)
    return [
        Remedy(advice, gate_command(gate, *_options(gate, found), *_more_time(gate, found, advice)))
        for advice, found in grouped.items()
    ]


def _advise(decision: QuantityDecision) -> str:
    if decision.outcome == "control-failed":
        return "Run it again on an idle machine"
    if decision.outcome == "unmeasured":
        return "See the logs of the run, then run it again"
    hopeless = decision.change is not None and times_longer(decision) > MOST_TIMES
    return _AT_THRESHOLD if hopeless else _MORE_TIME


def _options(gate: Gate, decisions: Sequence[QuantityDecision]) -> Iterator[str]:
    """The option that selects these quantities, unless they are all."""
    if gate.speed is not None and len(decisions) < len(gate.speed.quantities):
        yield from (word for each in decisions for word in ("--quantities", each.quantity.id))


def _more_time(gate: Gate, decisions: Sequence[QuantityDecision], advice: str) -> tuple[str, ...]:
    if gate.speed is None or advice != _MORE_TIME:
        return ()
    return ("--budget", _write_budget(gate.speed.budget * max(map(times_longer, decisions))))


def times_longer(decision: QuantityDecision) -> int:
    """Factor of processes that would decide, at least 2: intervals shrink with the root of their number."""
    change = decision.change
    if change is None:  # processes until the first interim analysis
        return max(2, math.ceil(FIRST_BLOCKS / decision.blocks)) if decision.blocks else 2
    if min(change.low, change.ratio) <= 0:
        return 2
    away = abs(math.log(change.ratio) - math.log(decision.quantity.threshold))
    half = (math.log(change.high) - math.log(change.low)) / 2
    hopeless = away**2 * MOST_TIMES < half**2
    return MOST_TIMES + 1 if hopeless else max(2, math.ceil((half / away) ** 2 - 1e-9)) if away else 2


def _write_budget(seconds: float) -> str:
    """Format a budget for ``--budget``."""
    whole = math.ceil(seconds)
    return f"{whole // 60}m" if whole % 60 == 0 else f"{whole}s"
