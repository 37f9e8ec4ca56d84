"""Costs as numbers, and the table of them."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One cost: its values in the order measured, in ``unit``, and the goal to hold it against."""

    name: str
    unit: str
    values: tuple[float, ...]
    goal: str = ""

    @property
    def median(self) -> float:
        """The value to quote."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Costs:
    """What was measured, and one sentence for each part that could not be."""

    figures: tuple[Figure, ...]
    failures: tuple[str, ...] = ()


def compare(name: str, above: Sequence[float], below: Sequence[float], goal: str = "") -> Figure:
    """The ratios of values taken in turns, round by round; rounds that only one of them has are left out."""
    ratios = tuple(one / other for one, other in zip(above, below, strict=False))
    return Figure(name, "x", ratios, goal)


def render_costs(costs: Costs, *, width: int = 100) -> str:
    """The figures as a table (median, smallest, largest, how many, the goal), then what failed."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("cost")
    for name in ("median", "min", "max", "n"):
        table.add_column(name, justify="right")
    table.add_column("goal")
    for figure in costs.figures:
        low, high = min(figure.values), max(figure.values)
        numbers = [f"{value:.2f} {figure.unit}" for value in (figure.median, low, high)]
        table.add_row(figure.name, *numbers, str(len(figure.values)), figure.goal)
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    failures = "".join(f"\nnot measured: {failure}\n" for failure in costs.failures)
    return console.export_text() + failures
