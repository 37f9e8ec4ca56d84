"""Compute latency as a ratio to the baseline, and the noise floor of the A/A arm.

Rounds of all cells ran in the same slices of time, so log ratios are paired round by round. Medians and
quartiles come from the standard library: importing SciPy takes a second.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from harness.cell.interface import check_of
from harness.judge.outcomes import Results
from harness.records import LatencyRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records import CellResult, Finding, Plan, Timing


REFERENCE = "embed.sentence-transformers."
"""Prefix of the scenarios of the reference."""


CONTROL = ".control"
"""Suffix of the id of a check that must detect a different model."""


def paired_logs(rounds: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Log ratio of each round to the baseline in the same slice of time; unpaired rounds are excluded."""
    pairs = zip(rounds, baseline, strict=False)  # a cell cut off early has fewer rounds than the baseline
    return [math.log(mine / base) for mine, base in pairs if 0 < mine < math.inf and 0 < base < math.inf]


def noise_floor(timing: Timing) -> float | None:
    """Deviation of the A/A arm from the baseline in a scenario, as a factor >= 1; None without an arm."""
    logs = paired_logs(timing.control, timing.baseline)
    return math.exp(abs(statistics.median(logs))) if logs else None


def session_floors(results: Sequence[CellResult]) -> dict[str, float]:
    """Noise floor of each session: its largest A/A deviation over all scenarios, as a factor >= 1."""
    floors: dict[str, float] = {}
    for timing in (timing for result in results for timing in result.timings):
        floor = noise_floor(timing)
        if floor is not None:
            floors[timing.session] = max(floor, floors.get(timing.session, 1.0))
    return dict(sorted(floors.items()))


def family_of(scenario: str) -> str:
    """The scenario without its batch size."""
    return scenario.rpartition(".")[0] or scenario


def family_floors(timings: Iterable[Timing]) -> dict[tuple[str, str], float]:
    """Noise floor by session and family: the largest over scenarios that differ only in their batch size.

    A single scenario has a single pair of processes. Its floor is often below the noise between cells of
    equal releases, so that noise would count as a change.
    """
    floors: dict[tuple[str, str], float] = {}
    for timing in timings:
        key, floor = (timing.session, family_of(timing.scenario)), noise_floor(timing)
        if floor is not None:
            floors[key] = max(floor, floors.get(key, 1.0))
    return floors


def judge_latency(plan: Plan, results: Results, findings: Sequence[Finding] = ()) -> tuple[LatencyRow, ...]:
    """Judge the latency of each planned cell and timed scenario, in the order of the plan.

    Args:
        plan: the cells and scenarios of the run.
        results: the results of the cells.
        findings: to mark the timings of cells with wrong embeddings.
    """
    wrong = find_wrong_cells(plan, findings)
    order = {scenario.id: place for place, scenario in enumerate(plan.scenarios)}
    found = {planned.cell.id: results.one_for(planned) for planned in plan.cells}
    floors = family_floors(timing for result in found.values() if result for timing in result.timings)
    rows = []
    for cell, result in found.items():
        timings = [timing for timing in (result.timings if result else ()) if timing.rounds]
        timings.sort(key=lambda timing: (order.get(timing.scenario, len(order)), timing.scenario))
        for timing in timings:
            floor = floors.get((timing.session, family_of(timing.scenario)))
            row = _make_row(cell, timing, floor)
            rows.append(msgspec.structs.replace(row, wrong=cell in wrong and _embeds(timing.scenario)))
    return tuple(rows)


def find_wrong_cells(plan: Plan, findings: Sequence[Finding]) -> set[str]:
    """Find the cells with differences in embeddings, expected or not, that the baseline does not have.

    Failed controls do not count: they compare a different model.
    """
    differing: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        control = check_of(finding.check).endswith(CONTROL)
        if not control and finding.layer in {"L1", "L2"} and finding.outcome in {"fail", "error", "xfail"}:
            differing[finding.cell].add(finding.check)
    known = differing.get(plan.baseline or "", set())
    return {cell for cell, checks in differing.items() if checks - known}


def _embeds(scenario: str) -> bool:
    return scenario.startswith("embed.") and not scenario.startswith(REFERENCE)


def _make_row(cell: str, timing: Timing, floor: float | None) -> LatencyRow:
    logs = paired_logs(timing.rounds, timing.baseline)
    low, middle, high = _quartiles(logs)
    return LatencyRow(
        cell=cell,
        scenario=timing.scenario,
        p50=statistics.median(timing.rounds),
        ratio=middle,
        low=low,
        high=high,
        floor=floor,
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
