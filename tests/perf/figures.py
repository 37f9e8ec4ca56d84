"""Costs as numbers, and the table of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One cost: its values in the order measured, in ``unit``, and the goal to hold it against."""

    name: str
    unit: str
    values: tuple[float, ...]
    goal: str = ""

    @property
    def median(self) -> float:
        """The value to quote."""
        return statistics.median(self.values)


def compare(name: str, above: Sequence[float], below: Sequence[float], goal: str = "") -> Figure:
    """The ratios of values taken in turns, round by round; rounds that only one of them has are left out."""
    ratios = tuple(one / other for one, other in zip(above, below, strict=False))
    return Figure(name, "x", ratios, goal)


def render_figures(figures: Sequence[Figure]) -> str:
    """A line each: name, median, smallest and largest value, how many there are, the goal."""
    lines = []
    for each in figures:
        spread = f"{min(each.values):.2f} to {max(each.values):.2f}, n = {len(each.values)}"
        median = f"{each.median:.2f} {each.unit}"
        lines.append(f"{each.name:<44} {median:>12}  ({spread}){f'; {each.goal}' if each.goal else ''}\n")
    return "".join(lines)
