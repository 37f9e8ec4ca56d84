"""What is counted over many gates, and the goals that the counts are held against."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.judge.slower import with_speed
from harness.proof.real import RealGate
from harness.proof.simulation import Setting, Simulated, sum_up

DECIDE_SECONDS = {"normalizer": 120.0, "embedding": 300.0}
"""Within which all quantities of a group are to be decided, with warm environments."""

MOST = 0.95
"""19 of 20: the share of gates that find 10%, and that decide in time."""


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
    """What simulated gates say; identical environments may regress in 1 of 100."""
    verdicts = [with_speed(("pass", "", ""), sum_up(gate, setting))[0] for gate in gates]
    rows = [_verdict_row(f"simulated, {_name(percent)}", percent, verdicts, 0.01)]
    for group in gates[0].draws if gates else ():
        seconds = [gate.spent(group) for gate in gates]
        in_time = sum(
            _is_decided(gate, group, setting) and gate.spent(group) <= DECIDE_SECONDS[group] for gate in gates
        )
        what = f"  {group} decided within {DECIDE_SECONDS[group]:.0f} s"
        rows.append(Row(what, in_time, len(gates), note=_spread(seconds)))
    return rows


def judge_real(percent: int, gates: Sequence[RealGate]) -> list[Row]:
    """What real gates say; none of identical environments may regress."""
    rows = [_verdict_row(f"real, {_name(percent)}", percent, [gate.verdict for gate in gates], 0.0)]
    for group, limit in DECIDE_SECONDS.items():
        mine = [gate for gate in gates if group in gate.seconds]
        if mine:
            in_time = sum(gate.is_decided(group) and gate.seconds[group] <= limit for gate in mine)
            what, note = f"  {group} decided within {limit:.0f} s", _spread([e.seconds[group] for e in mine])
            needed = _most(len(mine))
            row = Row(what, in_time, len(mine), note=note)
            asked = replace(row, goal=f"at least {needed}", holds=in_time >= needed)
            rows.append(row if percent else asked)
    return rows


def _verdict_row(what: str, percent: int, verdicts: Sequence[str], false_share: float) -> Row:
    count, gates = sum(each == "regressed" for each in verdicts), len(verdicts)
    note = ", ".join(f"{number} {verdict}" for verdict, number in sorted(Counter(verdicts).items()))
    if percent == 0:
        allowed = math.floor(false_share * gates)
        return Row(f"{what}: regressed", count, gates, f"at most {allowed}", count <= allowed, note)
    needed = gates if percent >= 20 else _most(gates)
    return Row(f"{what}: regressed", count, gates, f"at least {needed}", gates > 0 and count >= needed, note)


def _most(gates: int) -> int:
    return math.ceil(MOST * gates)


def _name(percent: int) -> str:
    return f"{percent}% slower" if percent else "identical"


def _is_decided(gate: Simulated, group: str, setting: Setting) -> bool:
    mine = [each.id for each in setting.quantities if each.group == group]
    return all(
        name in gate.decided and gate.decided[name].outcome in {"passed", "regressed"} for name in mine
    )


def _spread(seconds: Sequence[float]) -> str:
    """Median, the value that 95% of them keep below, and the largest."""
    ordered = sorted(seconds)
    below = ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]
    return f"{statistics.median(ordered):.0f} s (95%: {below:.0f} s, longest {ordered[-1]:.0f} s)"
