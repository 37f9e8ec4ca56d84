"""What it costs to render a large sweep: the page and the terminal report."""

from __future__ import annotations

import sys
from pathlib import Path

from perf.bench import Bench
from perf.figures import Figure

SIZES = {
    200: (100, {"history": "at most 1", "page": "at most 3", "bytes": "at most 5", "terminal": "at most 1"}),
    1000: (1, {"page": "at most 10", "bytes": "at most 10"}),
}
"""Cells -> the runs of their history, and what is measured with its goal, in seconds and megabytes."""

PUBLISHED = Path("reports") / "openvino" / "results.json.gz"
"""A real sweep, whose cells are taken several times over."""


async def measure_pages(bench: Bench, rounds: int) -> list[Figure]:
    """Seconds that the page and the terminal report of large sweeps take, and the size of the page.

    Each round is a fresh process: the library that draws the plots takes its time to start.
    """
    return [figure for cells in SIZES for figure in await _measure(bench, rounds, cells)]


async def _measure(bench: Bench, rounds: int, cells: int) -> list[Figure]:
    runs, goals = SIZES[cells]
    told: list[dict[str, float]] = []
    for number in range(rounds):
        bench.say(f"the page and the terminal report of {cells:,} cells, {number + 1} of {rounds}")
        argv = (sys.executable, "-m", "perf.rendering", str(PUBLISHED), str(cells), str(runs))
        told.append(await bench.tell(argv, dict[str, float]))
    figures = {
        "history": (f"asking a history of {runs} runs", "s", 1.0),
        "page": ("the page", "s", 1.0),
        "bytes": ("the size of the page", "MB", 1e6),
        "terminal": ("the terminal report", "s", 1.0),
    }
    return [
        Figure(f"{cells:,} cells: {name}", unit, tuple(each[key] / by for each in told), goals[key])
        for key, (name, unit, by) in figures.items()
        if key in goals
    ]
