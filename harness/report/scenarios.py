"""Latency scenarios put together by what they vary: the batch, the target, the rounds of one of them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.records import LatencyRow, Run, Timing
from harness.report.latency_view import right_rows

REFERENCES = {"normalize": "reference", "embed": "sentence-transformers"}
"""Kind of scenario -> the target that the others are held against."""


@dataclass(frozen=True)
class Scenario:
    """What the id of a scenario says: ``<kind>.<target>.<dtype>.<batch>``."""

    kind: str
    target: str
    dtype: str
    batch: int

    @property
    def family(self) -> str:
        """The scenario without its batch."""
        return f"{self.kind}.{self.target}.{self.dtype}"


def read_scenario(name: str) -> Scenario | None:
    """The parts of the id of a scenario; None for one of another form."""
    kind, _, rest = name.partition(".")
    parts = rest.rsplit(".", 2)
    if len(parts) != 3 or not parts[2].isdecimal():
        return None
    return Scenario(kind, parts[0], parts[1], int(parts[2]))


@dataclass(frozen=True)
class Family:
    """Scenarios that differ in their batch alone, with a row for each cell and batch."""

    name: str
    batches: tuple[int, ...]
    rows: tuple[tuple[int, LatencyRow], ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells that were timed, in the order of the plan."""
        return tuple(dict.fromkeys(row.cell for _, row in self.rows))


def find_families(run: Run) -> list[Family]:
    """Every family that was timed, in the order of the plan; its batches from small to large."""
    grouped: dict[str, list[tuple[int, LatencyRow]]] = defaultdict(list)
    for row in right_rows(run):
        if scenario := read_scenario(row.scenario):
            grouped[scenario.family].append((scenario.batch, row))
    return [
        Family(name, tuple(sorted({batch for batch, _ in rows})), tuple(rows))
        for name, rows in grouped.items()
    ]


@dataclass(frozen=True)
class Rounds:
    """The rounds of one scenario, each as a factor of the median round of the baseline in the same session.

    ``baseline`` and ``again`` (the A/A arm) are the rounds themselves; ``others`` the 10%, 25%, 50%, 75% and
    90% quantiles over the rounds of all other cells, None where there are none. ``typical`` is in seconds.
    """

    scenario: str
    typical: float
    baseline: tuple[float, ...]
    again: tuple[float, ...]
    others: tuple[float, ...] | None


def find_rounds(run: Run) -> list[Rounds]:
    """The rounds of every scenario that the baseline was timed in, in the order of the plan."""
    timings: dict[str, list[tuple[str, Timing]]] = defaultdict(list)
    wrong = {(row.cell, row.scenario) for row in run.judgement.latency if row.wrong}
    for result in run.results:
        for timing in result.timings:
            if (result.cell, timing.scenario) not in wrong:
                timings[timing.scenario].append((result.cell, timing))
    order = dict.fromkeys(row.scenario for row in run.judgement.latency)
    found = (_rounds(name, timings.get(name, []), run.plan.baseline) for name in order)
    return [each for each in found if each is not None]


def _rounds(scenario: str, timings: Sequence[tuple[str, Timing]], baseline: str | None) -> Rounds | None:
    sessions = {timing.session: timing for _, timing in timings if timing.baseline}
    middle = {name: statistics.median(timing.baseline) for name, timing in sessions.items()}
    if not middle or min(middle.values()) <= 0:
        return None
    others = [
        value / middle[timing.session]
        for cell, timing in timings
        if cell != baseline and timing.session in middle
        for value in timing.rounds
    ]
    return Rounds(
        scenario=scenario,
        typical=statistics.median(middle.values()),
        baseline=tuple(
            value / middle[name] for name, timing in sessions.items() for value in timing.baseline
        ),
        again=tuple(value / middle[name] for name, timing in sessions.items() for value in timing.control),
        others=_quantiles(others),
    )


def _quantiles(values: Sequence[float]) -> tuple[float, ...] | None:
    if len(values) < 2:
        return None
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return cuts[1], cuts[4], cuts[9], cuts[14], cuts[17]


@dataclass(frozen=True)
class Scale:
    """Seconds for each row or text at one batch: of the baseline, and from lowest to highest over cells."""

    scenario: Scenario
    baseline: float | None
    lowest: float
    highest: float
    cells: int


def find_scaling(run: Run) -> list[Scale]:
    """What one row or text costs at each batch, in the order of the plan."""
    return [
        Scale(
            scenario,
            next((row.p50 / scenario.batch for row in rows if row.cell == run.plan.baseline), None),
            min(row.p50 for row in rows) / scenario.batch,
            max(row.p50 for row in rows) / scenario.batch,
            len(rows),
        )
        for scenario, rows in _by_scenario(run)
    ]


def _by_scenario(run: Run) -> Iterator[tuple[Scenario, list[LatencyRow]]]:
    grouped: dict[str, list[LatencyRow]] = defaultdict(list)
    for row in right_rows(run):
        grouped[row.scenario].append(row)
    for name, rows in grouped.items():
        scenario = read_scenario(name)
        if scenario is not None and scenario.batch:
            yield scenario, rows


@dataclass(frozen=True)
class Against:
    """Time of one target over that of the reference at the same batch, a ratio for each cell."""

    scenario: Scenario
    reference: str
    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of the cells."""
        return statistics.median(self.ratios)


def find_against(run: Run) -> list[Against]:
    """What is served against the reference of its kind, in the order of the plan."""
    p50 = {(row.cell, row.scenario): row.p50 for row in run.judgement.latency}
    found = []
    for scenario, rows in _by_scenario(run):
        reference = REFERENCES.get(scenario.kind, "")
        if not reference or scenario.target == reference:
            continue
        there = f"{scenario.kind}.{reference}.{scenario.dtype}.{scenario.batch}"
        pairs = ((row.p50, p50.get((row.cell, there))) for row in rows)
        if ratios := tuple(mine / other for mine, other in pairs if other):
            found.append(Against(scenario, reference, ratios))
    return found
