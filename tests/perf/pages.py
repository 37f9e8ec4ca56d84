"""What it costs to render a large sweep: the page and the terminal report."""

from __future__ import annotations

import sys
from pathlib import Path

from perf.bench import Bench
from perf.figures import Figure

CELLS, RUNS = 200, 100
PUBLISHED = Path("reports") / "openvino" / "results.json.gz"
"""A real sweep, whose cells are taken several times over."""


async def measure_pages(bench: Bench, rounds: int) -> list[Figure]:
    """Seconds that the page and the terminal report of a large sweep take, and the size of the page.

    Each round is a fresh process: the library that draws the plots takes its time to start.
    """
    told = []
    for number in range(rounds):
        bench.say(f"the page and the terminal report of {CELLS} cells, {number + 1} of {rounds}")
        argv = (sys.executable, "-m", "perf.rendering", str(PUBLISHED), str(CELLS), str(RUNS))
        told.append(await bench.tell(argv, dict[str, float]))
    return [
        Figure(f"asking a history of {RUNS} runs", "s", tuple(each["history"] for each in told)),
        Figure(f"the page of {CELLS} cells", "s", tuple(each["page"] for each in told), "at most 3"),
        Figure("the size of it", "MB", tuple(each["bytes"] / 1e6 for each in told), "at most 5"),
        Figure(
            f"the terminal report of {CELLS} cells",
            "s",
            tuple(each["terminal"] for each in told),
            "at most 1",
        ),
    ]
