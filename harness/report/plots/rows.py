"""Plots of rows on one scale, which the page draws as tables of its own width and size of text.

A drawing that is scaled to a phone has text that nobody can read, and the library that draws curves spends
most of its time on the measurement of names. In a table the browser places them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = Literal[
    "circle", "up", "down", "diamond", "cross", "square", "tick", "limit", "band", "thin", "thick"
]
"""A mark, or a bar that only the legend has as one; each is drawn once in a page."""

Ink = Literal[
    "soft", "band", "series-1", "series-2", "series-3", "series-4", "pass-ink", "xfail-ink", "red-ink"
]
"""A colour of the style sheet, which has a light and a dark mode."""


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale with its labelled ticks and its reference line; values outside are at its ends."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    one: float = 1.0

    def place(self, value: float) -> str:
        """The place of a value in percent of the width; what is not finite is at the upper end."""
        bounded = min(max(value, self.low), self.high) if math.isfinite(value) else self.high
        return f"{100 * math.log(bounded / self.low) / math.log(self.high / self.low):.4g}%"

    def lines(self) -> list[tuple[str, bool]]:
        """The places of the ticks and of the reference line, and whether each is the latter."""
        ticks = [(self.place(tick), False) for tick, _ in self.ticks if tick != self.one]
        return [*ticks, (self.place(self.one), True)]

    def labels(self) -> list[tuple[str, str, bool]]:
        """The place and the text of each tick, and whether a narrow plot has no room for the text.

        It leaves out every second text, counted from the reference line.
        """
        values = [tick for tick, _ in self.ticks]
        middle = values.index(self.one) if self.one in values else 0
        return [
            (self.place(tick), label, (number - middle) % 2 == 1)
            for number, (tick, label) in enumerate(self.ticks)
        ]


@dataclass(frozen=True)
class Bar:
    """A horizontal bar: the ``band`` of the noise, or a ``thin`` or ``thick`` line; ``line`` counts down."""

    low: float
    high: float
    shape: Shape
    ink: Ink
    line: int = 0


@dataclass(frozen=True)
class Mark:
    """A mark at a value."""

    at: float
    shape: Shape
    ink: Ink
    line: int = 0


@dataclass(frozen=True)
class Row:
    """A row: its name, its values in words (shown on hover, and read aloud), and what is drawn.

    ``cell`` is the number of the cell that the row is about, for the filter of the page.
    """

    name: str
    told: str
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    cell: int | None = None


@dataclass(frozen=True)
class Panel:
    """Rows below one title."""

    title: str
    rows: tuple[Row, ...]


Key = tuple[Shape, Ink, str]
"""An entry of the legend: shape, colour and words."""


@dataclass(frozen=True)
class RowPlot:
    """Panels beside each other, on one scale; ``key`` is unique in the page.

    ``heading`` is that of the names, and ``lines`` is how many lines a row has.
    """

    title: str
    key: str
    scale: Scale
    panels: tuple[Panel, ...]
    legend: tuple[Key, ...]
    heading: str = ""
    lines: int = 1

    @property
    def size(self) -> Literal["short", "middle", "long", "longest"]:
        """How long the names are, on which the width of a panel depends.

        A phone has the longest names above their rows, and the long ones of a few rows, too.
        """
        names = [row.name for panel in self.panels for row in panel.rows]
        most = max(map(len, names), default=0)
        if most > _LONG or (most > _MIDDLE and len(names) <= _FEW):
            return "longest"
        return "long" if most > _MIDDLE else "middle" if most > _SHORT else "short"

    @property
    def row_height(self) -> int:
        """The height of a row in pixels."""
        return 11 + 9 * self.lines

    @property
    def is_tall(self) -> bool:
        """Whether print may break a panel between two rows; it keeps all others whole."""
        return max((len(panel.rows) for panel in self.panels), default=0) * self.row_height > _KEPT


_KEPT = 600
"""Pixels of a panel that print keeps whole; a sheet has about a thousand."""

_SHORT, _MIDDLE, _LONG = 12, 18, 26
"""Characters of a name up to which it is short, middle or long."""

_FEW = 20
"""Rows of a plot that may be twice as high on a phone."""

_RATIOS = (
    (1.4, (0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2, 1.25)),
    (1.8, (0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 1.7)),
    (2.5, (0.5, 0.65, 0.8, 1, 1.25, 1.5, 2)),
    (9, (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7)),
    (80, (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)),
    (math.inf, (0.001, 0.01, 0.1, 1, 10, 100, 1000)),
)
"""Up to this ratio of the ends of a scale, its ticks; a phone has room for them."""


def scale_ratios(values: Sequence[float], *, bounds: tuple[float, float] = (0, math.inf)) -> Scale:
    """A scale for these ratios and 1, with some room at both ends, but not beyond the bounds."""
    low = max(bounds[0], min([0.9, *values]) * 0.96)
    high = min(bounds[1], max([1.1, *values]) * 1.04)
    ticks = next(ticks for most, ticks in _RATIOS if high / low <= most)
    return Scale(low, high, tuple((each, f"{each:g}x") for each in ticks if low <= each <= high))
