"""Latency for all renderings: scenarios over all cells, grouped into families."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.judge.latency_ratios import session_floors
from harness.records import LatencyRow, Run, Timing
from harness.report.grid import CellNames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import LatencyRow, Run


@dataclass(frozen=True)
class ScenarioSummary:
    """A scenario over all cells but the baseline: ratios to it, and the noise floor as a factor >= 1."""

    scenario: str
    baseline_p50: float | None
    lowest: LatencyRow | None
    highest: LatencyRow | None
    median: float | None
    floor: float | None


def right_rows(run: Run) -> list[LatencyRow]:
    """Latency rows, without those of embeddings that differ from the baseline."""
    return [row for row in run.judgement.latency if not row.wrong]


def describe_wrong(run: Run) -> str:
    """Describe the excluded times of wrong embeddings; empty without them."""
    cells = list(dict.fromkeys(row.cell for row in run.judgement.latency if row.wrong))
    if not cells:
        return ""
    named = CellNames.of(run).describe(cells)
    return f"Embedding times of {named} are excluded: the embeddings differ from those of the baseline."


def summarize_latency(run: Run) -> list[ScenarioSummary]:
    """Summarize each timed scenario, in the order of the plan."""
    grouped: dict[str, list[LatencyRow]] = defaultdict(list)
    for row in right_rows(run):
        grouped[row.scenario].append(row)
    return [_scenario(run, scenario, rows) for scenario, rows in grouped.items()]


def _scenario(run: Run, scenario: str, rows: Sequence[LatencyRow]) -> ScenarioSummary:
    base = next((row for row in rows if row.cell == run.plan.baseline), None)
    others = [row for row in rows if row.ratio is not None and row.cell != run.plan.baseline]
    ratios = [row.ratio for row in others if row.ratio is not None]
    floors = [row.floor for row in rows if row.floor is not None]
    return ScenarioSummary(
        scenario,
        None if base is None else base.p50,
        min(others, key=lambda row: row.ratio or 0.0, default=None),
        max(others, key=lambda row: row.ratio or 0.0, default=None),
        statistics.median(ratios) if ratios else None,
        max(floors, default=None),
    )


@dataclass(frozen=True)
class FamilySummary:
    """Scenarios that differ only in their batch: the extremes of their ratios, and their noise floor."""

    name: str
    batches: tuple[str, ...]
    lowest: float | None
    highest: float | None
    floor: float | None


def summarize_families(run: Run) -> list[FamilySummary]:
    """Summarize each timed family of scenarios, with batches in the order of the plan."""
    grouped: dict[str, list[ScenarioSummary]] = defaultdict(list)
    for each in summarize_latency(run):
        grouped[each.scenario.rpartition(".")[0]].append(each)
    return [_family(name, scenarios) for name, scenarios in grouped.items()]


def _family(name: str, scenarios: Sequence[ScenarioSummary]) -> FamilySummary:
    lowest = [each.lowest.ratio for each in scenarios if each.lowest and each.lowest.ratio is not None]
    highest = [each.highest.ratio for each in scenarios if each.highest and each.highest.ratio is not None]
    floors = [each.floor for each in scenarios if each.floor is not None]
    return FamilySummary(
        name,
        tuple(each.scenario.rpartition(".")[2] for each in scenarios),
        min(lowest, default=None),
        max(highest, default=None),
        max(floors, default=None),
    )


def noise_floor(run: Run) -> float | None:
    """The largest A/A deviation over sessions and scenarios, as a factor >= 1; None without an A/A arm."""
    return max(session_floors(run.results).values(), default=None)


def show_seconds(seconds: float) -> str:
    """Format seconds in a readable unit: ``12.3 us``, ``1.25 ms``, ``2.5 s``."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def show_ratio(ratio: float | None) -> str:
    """Format a ratio to the baseline: ``1.05x``; a dash without one."""
    return "-" if ratio is None else f"{ratio:.2f}x"


def beyond_noise(row: LatencyRow) -> str:
    """An arrow if both quartiles of the rounds lie beyond the noise floor."""
    if row.low is None or row.high is None or row.floor is None:
        return ""
    if row.low > row.floor:
        return " ▲"
    return " ▼" if row.high < 1 / row.floor else ""


# Scenarios grouped by batch, target and rounds

REFERENCES = {"normalize": "reference", "embed": "sentence-transformers"}
"""Kind of scenario -> target that serves as the reference."""


@dataclass(frozen=True)
class Scenario:
    """The parts of a scenario id: ``<kind>.<target>.<dtype>.<batch>``."""

    kind: str
    target: str
    dtype: str
    batch: int

    @property
    def family(self) -> str:
        """The scenario without its batch."""
        return f"{self.kind}.{self.target}.{self.dtype}"


def read_scenario(name: str) -> Scenario | None:
    """Split the id of a scenario into its parts; None for another format."""
    kind, _, rest = name.partition(".")
    parts = rest.rsplit(".", 2)
    if len(parts) != 3 or not parts[2].isdecimal():
        return None
    return Scenario(kind, parts[0], parts[1], int(parts[2]))


@dataclass(frozen=True)
class Family:
    """Scenarios that differ only in their batch, with a row for each cell and batch."""

    name: str
    batches: tuple[int, ...]
    rows: tuple[tuple[int, LatencyRow], ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The timed cells, in the order of the plan."""
        return tuple(dict.fromkeys(row.cell for _, row in self.rows))


def find_families(run: Run) -> list[Family]:
    """Find every timed family, in the order of the plan, with batches from small to large."""
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

    ``baseline`` and ``again`` (the A/A arm) are single rounds; ``others`` holds the 10%, 25%, 50%, 75% and
    90% quantiles over the rounds of all other cells, or None. ``typical`` is in seconds.
    """

    scenario: str
    typical: float
    baseline: tuple[float, ...]
    again: tuple[float, ...]
    others: tuple[float, ...] | None


def find_rounds(run: Run) -> list[Rounds]:
    """Find the rounds of every scenario with a timed baseline, in the order of the plan."""
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
    """Seconds per row or text at one batch: of the baseline, and the range over cells."""

    scenario: Scenario
    baseline: float | None
    lowest: float
    highest: float
    cells: int


def find_scaling(run: Run) -> list[Scale]:
    """Find the time per row or text at each batch, in the order of the plan."""
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
    """Time of one target relative to the reference at the same batch, a ratio for each cell."""

    scenario: Scenario
    reference: str
    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median over the cells."""
        return statistics.median(self.ratios)


def find_against(run: Run) -> list[Against]:
    """Compare the targets with the reference of their kind, in the order of the plan."""
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
