"""Latency as a ratio to the baseline, with the noise floor of the A/A arm beside it.

Rounds of all cells ran in the same slices of time, so logs of ratios are paired round by round. Medians and
quartiles come from the standard library: scipy would bring numpy, a package under test, into the controller.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from harness.judge.outcomes import Results
from harness.records import LatencyRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import CellResult, Plan, Timing


def paired_logs(rounds: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Log of each round over the baseline's of the same slice; rounds without a partner are left out."""
    pairs = zip(rounds, baseline, strict=False)  # a cell cut off early has fewer rounds than the baseline
    return [math.log(mine / base) for mine, base in pairs if _usable(mine) and _usable(base)]


def _usable(seconds: float) -> bool:
    return math.isfinite(seconds) and seconds > 0


def noise_floor(timing: Timing) -> float | None:
    """How far the A/A arm lies from the baseline in a scenario, as a factor >= 1; None without one."""
    logs = paired_logs(timing.control, timing.baseline)
    return math.exp(abs(statistics.median(logs))) if logs else None


def session_floors(results: Sequence[CellResult]) -> dict[str, float]:
    """The noise floor of each session over all its scenarios: the largest A/A deviation, as a factor >= 1."""
    floors: dict[str, float] = {}
    for timing in (timing for result in results for timing in result.timings):
        floor = noise_floor(timing)
        if floor is not None:
            floors[timing.session] = max(floor, floors.get(timing.session, 1.0))
    return dict(sorted(floors.items()))


def judge_latency(plan: Plan, results: Results) -> tuple[LatencyRow, ...]:
    """One row for each planned cell and each scenario that it was timed in, in the order of the plan."""
    order = {scenario.id: place for place, scenario in enumerate(plan.scenarios)}
    rows = []
    for planned in plan.cells:
        result = results.one_for(planned)
        timings = [timing for timing in (result.timings if result else ()) if timing.rounds]
        timings.sort(key=lambda timing: (order.get(timing.scenario, len(order)), timing.scenario))
        rows += [_row(planned.cell.id, timing) for timing in timings]
    return tuple(rows)


def _row(cell: str, timing: Timing) -> LatencyRow:
    logs = paired_logs(timing.rounds, timing.baseline)
    low, middle, high = _quartiles(logs)
    return LatencyRow(
        cell=cell,
        scenario=timing.scenario,
        p50=statistics.median(timing.rounds),
        ratio=middle,
        low=low,
        high=high,
        floor=noise_floor(timing),
        rounds=len(timing.rounds),
        iterations=timing.iterations,
    )


def _quartiles(logs: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    if not logs:
        return None, None, None
    middle = math.exp(statistics.median(logs))
    if len(logs) == 1:
        return middle, middle, middle
    low, _, high = statistics.quantiles(logs, n=4, method="inclusive")
    return math.exp(low), middle, math.exp(high)
