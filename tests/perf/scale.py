"""How long a sweep takes on a cluster: 1,000 and 10,000 cells with measured durations on up to 500 workers.

The cells are drawn from those of the published sweep of the default matrix. The crew of a real cluster gives
them out, the longest first; only the workers, and the clock of the event loop, are made up.

``nox -s machines -- --predict`` compares the simulation with a real sweep of the default matrix on four
local workers; reports/README.md has the result. The durations are those of the published sweep; a worker
needs some seconds more from one cell to the next, and workers that share cores slow each other down.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Sequence
from pathlib import Path

from support.cluster import Address, make_cells
from support.fake_dask import OWN, FakeClient, answer, make_work, make_worker

from harness.records import discard
from harness.runs.folder import RESULTS, read_stored
from harness.sweep.executors.crew import Crew
from harness.sweep.executors.parcel import Task
from harness.sweep.shards import measure_durations
from perf.bench import Bench
from perf.figures import Figure

PUBLISHED = Path(__file__).parents[2] / "reports" / "compat" / RESULTS[-1]
CELLS = (1_000, 10_000)
WORKERS = (1, 4, 20, 100, 500)


class Clock(selectors.DefaultSelector):
    """An event loop that waits for nothing: its clock goes to the next thing that is due."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready at once; the time that the loop would have waited has passed."""
        self.now += max(timeout or 0.0, 0.0)
        return super().select(0)


async def measure_scale(bench: Bench, rounds: int) -> list[Figure]:
    """Seconds of the whole sweep, beside the least that this number of workers can need."""
    measured = read_measured()
    bench.say(f"{len(measured)} measured durations, {measured[0]:.0f} to {measured[-1]:.0f} s")
    figures = []
    for count in CELLS:
        for workers in WORKERS:
            bench.say(f"{count} cells on {workers} workers")
            drawn = [sorted(random.Random(seed).choices(measured, k=count)) for seed in range(rounds)]  # noqa: S311
            spans = [await asyncio.to_thread(simulate, seconds[::-1], workers) for seconds in drawn]
            bounds = [find_bound(seconds, workers) for seconds in drawn]
            name = f"{count:,} cells, {workers} worker{'' if workers == 1 else 's'}"
            figures += [
                Figure(name, "s", tuple(spans), f"at least {min(bounds):.0f}"),
                Figure(f"{name}: to the bound", "x", tuple(map(float.__truediv__, spans, bounds))),
            ]
    return figures


def read_measured() -> list[float]:
    """Seconds of each cell of the published sweep, the shortest first."""
    return sorted(measure_durations(read_stored(PUBLISHED).results).values())


def find_bound(seconds: Sequence[float], workers: int) -> float:
    """The least that a sweep can take: its longest cell, or the work of all of them, divided evenly."""
    return max(*seconds, sum(seconds) / workers)


def simulate(seconds: Sequence[float], workers: int) -> float:
    """The time until the last of cells of these durations is done, by the clock of its event loop."""
    clock = Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_sweep(seconds, workers))
        return clock.now


async def _sweep(seconds: Sequence[float], workers: int) -> None:
    durations = dict(zip((f"cell-{number}" for number in range(len(seconds))), seconds, strict=True))

    async def work(_: str, task: Task) -> bytes:
        await asyncio.sleep(durations[task.name])
        return answer(task)

    client = FakeClient({f"worker-{number}": make_worker(f"w{number}") for number in range(workers)}, work)
    crew = Crew(client, Address(), discard, own=OWN, period=max(seconds))
    await crew.gather()
    works = [make_work(cell) for cell in make_cells(*durations)]
    done = [name async for name, _ in crew.run(works, b"")]
    assert len(done) == len(seconds)
