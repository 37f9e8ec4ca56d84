"""What is counted over many gates, and the goals that the counts are held against."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.judge.cost_verdict import MAX_NAMES, add_speed
from harness.records import Quantity
from proof.planted import STRICT
from proof.real import STRICT_SECONDS, RealGate
from proof.simulation import Setting, Simulated, sum_up

DECIDE_SECONDS = {"normalizer": 120.0, "embedding": 300.0}
"""Within which all quantities of a group are to be decided, with warm environments."""

MOST = 0.95
"""19 of 20: the share of gates that find 10%, that decide in time, and of identical ones that pass."""

JUDGED = {0: ("normalizer", "embedding")}
"""The groups that a real gate measures, by percent; those with a planted slow-down only the normalizer."""


@dataclass(frozen=True)
class Row:
    """One line of the table: how many of how many gates, the goal in words, and whether it is met.

    ``holds`` is None where nothing is asked for.
    """

    what: str
    count: int
    gates: int
    goal: str = ""
    holds: bool | None = None
    note: str = ""


def judge_simulated(percent: int, setting: Setting, gates: Sequence[Simulated]) -> list[Row]:
    """What simulated gates say; identical environments may regress in 1 of 100, and most have to pass.

    Of a threshold below the default it is told how many are found; nothing is asked for.
    """
    speeds = [sum_up(gate, setting) for gate in gates]
    verdicts = [add_speed(("pass", "", ""), speed)[0] for speed in speeds]
    what = f"simulated, {_name(percent)}"
    rows = [_verdict_row(what, percent, verdicts, 0.01)]
    if percent == 0:
        outcomes = [{each.quantity.id: each.outcome for each in speed.quantities} for speed in speeds]
        rows.append(_pass_row(what, verdicts, outcomes))
    for group in dict.fromkeys(each.group for each in setting.quantities):
        limit = _limit(group, percent)
        in_time = sum(_is_decided(gate, group, setting) and gate.spent(group) <= limit for gate in gates)
        seconds = [gate.spent(group) for gate in gates if group in gate.draws]
        rows.append(Row(_in_time(group, limit), in_time, len(gates), note=_spread(seconds)))
    return rows


def judge_at_threshold(setting: Setting, gates: Sequence[Simulated]) -> Row:
    """How often something is said of a latency whose ratio is the threshold: no answer is right."""
    outcomes = [
        {
            each.quantity.id: each.outcome
            for each in gate.decided.values()
            if each.quantity.unit == "s" and each.outcome in {"passed", "regressed"}
        }
        for gate in gates
    ]
    what = f"simulated, {round((setting.slower - 1) * 100)}% slower, as is allowed: decided"
    count, allowed = sum(map(bool, outcomes)), math.floor(0.01 * len(gates))
    note = _tell_outcomes(outcomes)
    return Row(what, count, len(gates), f"at most {allowed}", bool(gates) and count <= allowed, note)


def tell_machines(gates: Sequence[RealGate]) -> Row:
    """The classes of the machines that real gates were run on."""
    classes = Counter(gate.machine for gate in gates)
    note = ", ".join(f"{number} on {name}" for name, number in classes.most_common())
    return Row("real: classes of machines", len(classes), len(classes), note=note)


def judge_real(percent: int, gates: Sequence[RealGate]) -> list[Row]:
    """What real gates say; none of identical environments may regress."""
    what, verdicts = f"real, {_name(percent)}", [gate.verdict for gate in gates]
    rows = [_verdict_row(what, percent, verdicts, 0.0)]
    if percent == 0:
        rows.append(_pass_row(what, verdicts, [gate.outcomes for gate in gates]))
    for group in JUDGED.get(percent, ("normalizer",)):
        limit = _limit(group, percent)
        in_time = sum(gate.is_decided(group) and gate.seconds.get(group, math.inf) <= limit for gate in gates)
        note = _spread([gate.seconds[group] for gate in gates if group in gate.seconds])
        row = Row(_in_time(group, limit), in_time, len(gates), note=note)
        rows.append(row if percent else _at_least(row))
    if gates:
        spent = ", ".join(f"{gate.spent:.0f}" for gate in gates)
        rows.append(Row("  seconds of each", len(gates), len(gates), note=spent))
        rows.append(Row("  ratios", len(gates), len(gates), note=_ratios([gate.ratios for gate in gates])))
    return rows


def _ratios(found: Sequence[Mapping[str, float]]) -> str:
    """The medians over all gates: the lowest and the highest quantity. Identical ones show a bias there."""
    values: dict[str, list[float]] = defaultdict(list)
    for ratios in found:
        for name, ratio in ratios.items():
            values[name].append(ratio)
    medians = sorted((statistics.median(each), name) for name, each in values.items())
    if not medians:
        return "never measured"
    (low, first), (high, last) = medians[0], medians[-1]
    return f"medians from {low:.3f} ({first}) to {high:.3f} ({last})"


def judge_pools(
    planned: Sequence[Quantity], used: Sequence[Quantity], blocks: Mapping[str, int]
) -> list[Row]:
    """Whether there is something to simulate with; ``blocks`` of each group of which there are any."""
    rows = [
        Row(
            f"recorded, {group}: blocks",
            blocks.get(group, 0),
            blocks.get(group, 0),
            "at least 1",
            group in blocks,
        )
        for group in dict.fromkeys(each.group for each in planned)
    ]
    lacking = ", ".join(each.id for each in planned if each not in used)
    note = f"left out, as some blocks lack them: {lacking}" if lacking else ""
    return [*rows, Row("recorded: quantities", len(used), len(planned), note=note)]


def _pass_row(what: str, verdicts: Sequence[str], outcomes: Sequence[Mapping[str, str]]) -> Row:
    """Identical environments that pass; a gate that never says anything would never be wrong."""
    count = sum(each == "pass" for each in verdicts)
    unclear = [
        {name: outcome for name, outcome in found.items() if outcome != "passed"} for found in outcomes
    ]
    return _at_least(Row(f"{what}: passed", count, len(verdicts), note=_tell_outcomes(unclear)))


def _tell_outcomes(outcomes: Sequence[Mapping[str, str]]) -> str:
    counts = Counter(f"{name} {outcome}" for found in outcomes for name, outcome in found.items())
    note = ", ".join(f"{each} in {number}" for each, number in counts.most_common(MAX_NAMES))
    return note + (f" and {len(counts) - MAX_NAMES} more" if len(counts) > MAX_NAMES else "")


def _at_least(row: Row) -> Row:
    """Asked for in most gates; of no gate at all nothing holds."""
    needed = _most(row.gates)
    return replace(row, goal=f"at least {needed}", holds=row.gates > 0 and row.count >= needed)


def _limit(group: str, percent: int) -> float:
    return STRICT_SECONDS if percent in STRICT else DECIDE_SECONDS[group]


def _in_time(group: str, limit: float) -> str:
    return f"  {group} decided within {limit:.0f} s"


def _verdict_row(what: str, percent: int, verdicts: Sequence[str], false_share: float) -> Row:
    count, gates = sum(each == "regressed" for each in verdicts), len(verdicts)
    note = ", ".join(f"{number} {verdict}" for verdict, number in sorted(Counter(verdicts).items()))
    if percent == 0:
        allowed = math.floor(false_share * gates)
        holds = gates > 0 and count <= allowed
        return Row(f"{what}: regressed", count, gates, f"at most {allowed}", holds, note)
    if percent in STRICT:
        return Row(f"{what}: regressed", count, gates, note=note)
    needed = gates if percent >= 20 else _most(gates)
    return Row(f"{what}: regressed", count, gates, f"at least {needed}", gates > 0 and count >= needed, note)


def _most(gates: int) -> int:
    return math.ceil(MOST * gates)


def _name(percent: int) -> str:
    name = f"{percent}% slower" if percent else "identical"
    return f"{name}, {round((STRICT[percent] - 1) * 100)}% allowed" if percent in STRICT else name


def _is_decided(gate: Simulated, group: str, setting: Setting) -> bool:
    mine = [each.id for each in setting.quantities if each.group == group]
    return all(
        name in gate.decided and gate.decided[name].outcome in {"passed", "regressed"} for name in mine
    )


def _spread(seconds: Sequence[float]) -> str:
    """Median, the value that 95% of them keep below, and the largest."""
    if not seconds:
        return "never measured"
    ordered = sorted(seconds)
    below = ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]
    return f"{statistics.median(ordered):.0f} s (95%: {below:.0f} s, longest {ordered[-1]:.0f} s)"
