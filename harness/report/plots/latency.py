"""Plots of latency: each cell against the baseline with quartiles and noise, targets, and rounds."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from harness.report.latency_view import beyond_noise, show_ratio
from harness.report.plots.rows import Bar, Ink, Key, Mark, Panel, Row, RowPlot, Shape, scale_ratios

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import LatencyRow
    from harness.report.grid import VersionNames
    from harness.report.latency_view import Against, Family, Rounds


MOST_CELLS, CELLS_OF_MANY = 40, 24
"""Largest number of cells in a plot: those furthest from the baseline; the table has all."""

_NARROWEST = 0.25
"""Ratios below it, and above its inverse, are drawn at the edge of the plot."""

_EDGES = (_NARROWEST, 1 / _NARROWEST)

_KINDS: dict[str, Key] = {
    "": ("circle", "soft", "within the noise"),
    " ▲": ("up", "series-2", "slower"),
    " ▼": ("down", "series-1", "faster"),
}
_UNKNOWN: Key = ("diamond", "soft", "noise unknown")
_NOISE: Key = ("band", "band", "noise")
_QUARTILES: Key = ("thin", "soft", "quartiles")


def choose_cells(family: Family) -> list[str]:
    """Choose the cells of a plot, in the order of the plan."""
    if len(family.cells) <= MOST_CELLS:
        return list(family.cells)
    furthest: dict[str, float] = dict.fromkeys(family.cells, 0.0)
    for _, row in family.rows:
        if row.ratio:
            furthest[row.cell] = max(furthest[row.cell], abs(math.log(row.ratio)))
    kept = set(sorted(family.cells, key=lambda cell: -furthest[cell])[:CELLS_OF_MANY])
    return [cell for cell in family.cells if cell in kept]


def count_clamped(family: Family) -> int:
    """Count the ratios of a plot that are drawn at its edge."""
    cells = set(choose_cells(family))
    ratios = [row.ratio for _, row in family.rows if row.ratio and row.cell in cells]
    return sum(not _NARROWEST <= ratio <= 1 / _NARROWEST for ratio in ratios)


def plot_family(family: Family, named: VersionNames, numbers: Mapping[str, int], *, key: str) -> RowPlot:
    """Plot a panel for each batch and a row for each cell: noise band, quartile line, ratio mark.

    ``numbers`` has the number of each cell in the page.
    """
    cells = choose_cells(family)
    chosen = {(batch, row.cell): row for batch, row in family.rows if row.ratio}
    values = [
        value
        for (_, cell), row in chosen.items()
        if cell in set(cells)
        for value in (row.low, row.high)
        if value
    ]
    panels = [
        Panel(
            f"batch {batch}",
            tuple(
                _ratio(named.names[cell], numbers[cell], chosen[batch, cell])
                for cell in cells
                if (batch, cell) in chosen
            ),
        )
        for batch in family.batches
    ]
    unknown = any(row.floor is None for row in chosen.values())
    return RowPlot(
        title=f"{family.name}: time relative to the baseline",
        key=key,
        scale=scale_ratios(values, bounds=_EDGES),
        panels=tuple(panel for panel in panels if panel.rows),
        legend=(*_KINDS.values(), *([_UNKNOWN] if unknown else []), _QUARTILES, _NOISE),
        heading=" · ".join(named.axes),
    )


def _ratio(name: str, number: int, row: LatencyRow) -> Row:
    assert row.ratio is not None  # noqa: S101 - the caller leaves the others out
    shape, ink, kind = _KINDS[beyond_noise(row)] if row.floor else _UNKNOWN
    spread, noise = "", ""
    bars: list[Bar] = []
    if row.floor:
        bars.append(Bar(1 / row.floor, row.floor, "band", "band"))
        noise = f", noise {show_ratio(1 / row.floor)} to {show_ratio(row.floor)}"
    if row.low and row.high:
        bars.append(Bar(row.low, row.high, "thin", "soft"))
        spread = f", quartiles {show_ratio(row.low)} to {show_ratio(row.high)}"
    told = f"{name}: {show_ratio(row.ratio)}{spread}{noise}, {kind}"
    return Row(name, told, tuple(bars), (Mark(row.ratio, shape, ink),), number)


# Targets against the reference


def plot_against(found: Sequence[Against], *, title: str, key: str) -> RowPlot:
    """Plot a row for each scenario: the range over the cells, their middle half, and their median."""
    return RowPlot(
        title=f"{title}: time / {found[0].reference}",
        key=key,
        scale=scale_ratios([ratio for each in found for ratio in each.ratios]),
        panels=(Panel("", tuple(map(_against, found))),),
        legend=(
            ("circle", "series-2", "median of the cells"),
            ("thick", "series-1", "middle half"),
            ("thin", "series-1", "all cells"),
        ),
    )


def name_against(each: Against) -> str:
    """Name the row of a scenario in the plot and its table."""
    return f"{each.scenario.target} {each.scenario.dtype}, batch {each.scenario.batch}"


def _against(each: Against) -> Row:
    name, low, high = name_against(each), min(each.ratios), max(each.ratios)
    lower, _, upper = (
        statistics.quantiles(each.ratios, n=4, method="inclusive") if low < high else (low, low, low)
    )
    told = (
        f"{name}: median {show_ratio(each.median)}, middle half {show_ratio(lower)} to {show_ratio(upper)}, "
        f"all {show_ratio(low)} to {show_ratio(high)}"
    )
    bars = (Bar(low, high, "thin", "series-1"), Bar(lower, upper, "thick", "series-1"))
    return Row(name, told, bars, (Mark(each.median, "circle", "series-2"),))


# Rounds

_ARMS: tuple[tuple[str, Ink], ...] = (("baseline", "series-1"), ("baseline again", "series-2"))


def plot_rounds(found: Sequence[Rounds], *, key: str) -> RowPlot:
    """Plot a row for each scenario: rounds of both baseline processes, quantiles of all other cells."""
    values = [
        value for each in found for value in (*each.baseline, *each.again, *(each.others or ())) if value > 0
    ]
    tick: Shape = "tick"
    return RowPlot(
        title="Rounds of each scenario: time / median round of the baseline",
        key=key,
        scale=scale_ratios(values, bounds=_EDGES),
        panels=(Panel("", tuple(map(_rounds, found))),),
        legend=(
            *((tick, ink, arm) for arm, ink in _ARMS),
            ("thick", "soft", "other cells, middle half"),
            ("thin", "soft", "10 % to 90 %"),
        ),
        lines=3,
    )


def _rounds(each: Rounds) -> Row:
    arms = list(zip(_ARMS, (each.baseline, each.again), strict=True))
    marks = tuple(
        Mark(value, "tick", ink, line)
        for line, ((_, ink), values) in enumerate(arms)
        for value in values
        if value > 0
    )
    told = [f"{arm} {show_span(values)}" for (arm, _), values in arms if values]
    bars: tuple[Bar, ...] = ()
    if each.others:
        low, lower, _, upper, high = each.others
        bars = (Bar(low, high, "thin", "soft", 2), Bar(lower, upper, "thick", "soft", 2))
        told.append(f"other cells, middle half {show_span((lower, upper))}")
    return Row(each.scenario, f"{each.scenario}: {', '.join(told)}", bars, marks)


def show_span(ratios: Sequence[float]) -> str:
    """Format the range of ratios; a dash without any."""
    return f"{show_ratio(min(ratios))} to {show_ratio(max(ratios))}" if ratios else "-"
