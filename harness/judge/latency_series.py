"""Join the latency of many runs into one series for each scenario in each cell.

There may be a million timings, so this module works on columns and imports NumPy: import it where it is used.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import MachineError
from harness.judge.differences import MIN_SCENARIOS
from harness.judge.trend_verdict import LEVEL_RUNS, LatencySeries, explain_by_noise
from harness.records import RunLatency, RunLevel

# The timings that count, as columns.


@dataclass(frozen=True, eq=False)
class Timings:
    """The timings that count, in the order of the runs; each session counts once.

    ``runs`` are those with such a timing, oldest first. Each column has a value for each timing: ``run``,
    ``cell`` and ``scenario`` are places in the names (int64), ``baseline`` tells whether the cell is the
    baseline (bool), the others are as in ``harness.records.LatencyMeasure`` (float64).
    """

    runs: tuple[RunLatency, ...]
    cells: tuple[str, ...]
    scenarios: tuple[str, ...]
    run: np.ndarray
    cell: np.ndarray
    scenario: np.ndarray
    baseline: np.ndarray
    p50: np.ndarray
    ratio: np.ndarray
    noise: np.ndarray

    def find_baseline(self) -> str | None:
        """The baseline of the newest run that timed it."""
        places = np.flatnonzero(self.baseline)
        return self.cells[self.cell[places[-1]]] if len(places) else None


@dataclass(frozen=True)
class _Numbers:
    """The number of each name in the order of its first appearance."""

    cell: dict[str, int]
    scenario: dict[str, int]
    session: dict[str, int]


def join_timings(runs: Sequence[RunLatency]) -> Timings:
    """Join the latency of runs, oldest first.

    A session that several runs report counts for the first of them. Timings without ratio or noise floor,
    and those that are not finite, do not count.

    Raises:
        MachineError: a run refers to a name that is not there.
    """
    numbers = _Numbers({}, {}, {})
    parts = [_number_columns(run, place, numbers) for place, run in enumerate(runs)]
    columns = [np.concatenate(several) for several in zip(*parts, strict=True)] or [np.empty(0, int)] * 8
    kept = _choose(columns, numbers)
    run, cell, scenario, _, flag, p50, ratio, noise = (column[kept] for column in columns)
    timed, run = np.unique(run, return_inverse=True)
    return Timings(
        runs=tuple(runs[place] for place in timed),
        cells=tuple(numbers.cell),
        scenarios=tuple(numbers.scenario),
        run=run,
        cell=cell,
        scenario=scenario,
        baseline=flag > 0,
        p50=p50,
        ratio=ratio,
        noise=noise,
    )


def _number_columns(run: RunLatency, place: int, numbers: _Numbers) -> tuple[np.ndarray, ...]:
    """The columns of one run, with numbers that are the same in all runs."""
    columns, names = run.columns, run.columns.names
    flags = np.array([run.cells.get(cell, -1) for cell in names.cell], dtype=np.int8)  # -1: not of this run
    try:
        cell = np.frombuffer(columns.cell, "<u4")
        places = (
            _number(names.cell, numbers.cell)[cell],
            _number(names.scenario, numbers.scenario)[np.frombuffer(columns.scenario, "<u4")],
            _number(names.session, numbers.session)[np.frombuffer(columns.session, "<u4")],
        )
    except IndexError:
        raise MachineError(f"the record of run {run.run} in the history is invalid: no such name") from None
    values = (np.frombuffer(column, "<f8") for column in (columns.p50, columns.ratio, columns.noise))
    return np.full(len(cell), place), *places, flags[cell], *values


def _number(names: Iterable[str], numbers: dict[str, int]) -> np.ndarray:
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _choose(columns: Sequence[np.ndarray], numbers: _Numbers) -> np.ndarray:
    """The places of the timings that count, in their order."""
    _, cell, scenario, session, flag, p50, ratio, noise = columns
    usable = (flag >= 0) & (p50 > 0) & (ratio > 0) & (noise >= 1)
    usable &= np.isfinite(p50) & np.isfinite(ratio) & np.isfinite(noise)
    named = usable & (session != numbers.session.get("", -1))  # an unnamed session is another one each time
    code = (session * len(numbers.cell) + cell) * len(numbers.scenario) + scenario
    places = np.flatnonzero(named)
    _, first = np.unique(code[named], return_index=True)
    usable[named] = False
    usable[places[first]] = True
    return np.flatnonzero(usable)


# Series, and levels of scenarios.


def list_series(timings: Timings) -> list[LatencySeries]:
    """List one series for each scenario in each cell, in the order of their first timing.

    Raises:
        MachineError: a value is not finite.
    """
    value, kept = _find_values(timings)
    code = (timings.cell * len(timings.scenarios) + timings.scenario) * 2 + timings.baseline
    order, starts, ends = _group(code[kept])
    values, noises, runs = (column[kept][order].tolist() for column in (value, timings.noise, timings.run))
    logs = np.fromiter(map(math.log, values), float, len(values))
    spread, stepped = _measure_spread(logs, starts, ends)
    first = order[starts]
    found = []
    for place in np.argsort(first).tolist():
        inside, timing = slice(starts[place], ends[place]), kept[first[place]]
        found.append(
            LatencySeries(
                cell=timings.cells[timings.cell[timing]],
                scenario=timings.scenarios[timings.scenario[timing]],
                baseline=bool(timings.baseline[timing]),
                runs=runs[inside],
                values=values[inside],
                noises=noises[inside],
                logs=logs[inside],
                spread=float(spread[place]),
                may_step=bool(stepped[place]),
            )
        )
    return found


def _group(code: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group equal codes: the order that brings them together, and where each group starts and ends in it."""
    small = code.astype(np.min_scalar_type(int(code.max(initial=0))))  # 16 bits are sorted in linear time
    order = np.argsort(small, kind="stable")
    several = small[order]
    starts = np.flatnonzero(np.r_[True, several[1:] != several[:-1]][: len(several)])
    return order, starts, np.r_[starts[1:], len(several)][: len(starts)]


def _find_values(timings: Timings) -> tuple[np.ndarray, np.ndarray]:
    """The value of each timing, and the places of those that have one.

    A value is the ratio to the baseline. That of the baseline is the p50 over that of its first run, divided
    by the median of all scenarios. Runs with few scenarios have no such value: they cannot separate a slow
    machine from a slow scenario.
    """
    places = np.flatnonzero(timings.baseline)
    columns = (timings.run, timings.cell, timings.scenario, timings.p50)
    rows = list(zip(*(column[places].tolist() for column in columns), strict=True))
    first: dict[tuple[int, int], float] = {}
    logs: dict[int, dict[tuple[int, int], float]] = defaultdict(dict)
    for run, cell, scenario, p50 in rows:
        start = first.setdefault((cell, scenario), p50)
        logs[run][cell, scenario] = math.log(p50 / start)
    machine = {run: statistics.median(each.values()) for run, each in logs.items()}
    value, kept = timings.ratio.copy(), np.ones(len(timings.ratio), dtype=bool)
    for place, (run, cell, scenario, _) in zip(places, rows, strict=True):
        if len(logs[run]) < MIN_SCENARIOS:
            kept[place] = False
            continue
        factor = logs[run][cell, scenario] - machine[run]
        if abs(factor) > _MOST:
            raise MachineError(f"{timings.scenarios[scenario]}: one of its values is not finite")
        value[place] = math.exp(factor)
    return value, np.flatnonzero(kept)


_MOST = 700.0
"""Logarithm of a factor that a float64 still holds, in both directions."""


def _measure_spread(logs: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure the noise of a single value of each series, and whether a step beyond it is possible.

    The noise is estimated from differences of neighbours, which neither a step nor drift enlarges much.
    Few series have a step, and finding change points takes longest: so those without are set aside here, by
    the rule that ``judge_trend`` applies to each change point (with room for rounding).
    """
    lengths = ends - starts
    spread, stepped = np.full(len(starts), np.nan), np.zeros(len(starts), dtype=bool)
    for length in np.unique(lengths[lengths >= 2 * LEVEL_RUNS]):
        mine = np.flatnonzero(lengths == length)
        several = logs[starts[mine, None] + np.arange(length)]
        deviation = np.abs(np.diff(several, axis=1))
        spread[mine] = 1.4826 * np.median(deviation, axis=1) / math.sqrt(2)
        levels = _median_of_three(several)
        step = np.abs(levels[:, LEVEL_RUNS:] - levels[:, :-LEVEL_RUNS])
        limit = explain_by_noise(1.0, LEVEL_RUNS, LEVEL_RUNS) * spread[mine, None]
        stepped[mine] = ((step > limit - _ROUNDING) & (step > 0)).any(axis=1)
    return spread, stepped


_ROUNDING = 1e-9


def _median_of_three(several: np.ndarray) -> np.ndarray:
    """The median of each value of a row and the next two (``LEVEL_RUNS``)."""
    one, two, three = several[:, :-2], several[:, 1:-1], several[:, 2:]
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))


def list_levels(timings: Timings) -> dict[str, tuple[RunLevel, ...]]:
    """The quartiles of the ratios of all cells but the baseline: scenario -> a level for each run."""
    others = np.flatnonzero(~timings.baseline)
    code = timings.scenario[others] * len(timings.runs) + timings.run[others]
    order, starts, ends = _group(code)
    ratio = timings.ratio[others][order].tolist()
    found: dict[str, list[RunLevel]] = defaultdict(list)
    for start, end, first in zip(starts.tolist(), ends.tolist(), code[order[starts]].tolist(), strict=True):
        scenario, run = divmod(first, len(timings.runs))
        low, median, high = _find_quartiles(ratio[start:end])
        found[timings.scenarios[scenario]].append(
            RunLevel(run=timings.runs[run].run, low=low, median=median, high=high)
        )
    return {scenario: tuple(levels) for scenario, levels in found.items()}


def _find_quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high
