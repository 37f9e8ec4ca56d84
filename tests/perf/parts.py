"""What is measured: environments, the overhead of a cell, how busy the cores are, the whole sweep."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from harness.matrix.variables import make_cell_environment
from harness.store.inputs import snapshot_suite
from harness.store.store import Store
from harness.sweep.limits import count_cores
from perf.bench import Bench
from perf.covering import measure_covering
from perf.figures import Figure, compare
from perf.isolating import measure_isolation
from perf.newcomer import measure_newcomer
from perf.normalizing import measure_normalizers
from perf.pages import measure_pages
from perf.scale import measure_scale


@dataclass(frozen=True)
class Part:
    """Figures that are taken together; ``usual``: they are measured where no part is named.

    ``needs_run``: they are taken of a cell that ran before.
    """

    measure: Callable[[Bench, int], Awaitable[list[Figure]]]
    usual: bool = True
    needs_run: bool = True


async def measure_part(name: str, bench: Bench, rounds: int) -> tuple[Figure, ...]:
    """Take the figures of one part; the run that most parts need is made where it lacks.

    Raises:
        MachineError: the harness cannot run the cell at all, or the part failed.
    """
    if PARTS[name].needs_run and not bench.run.exists():
        bench.say("making the environment, the model and the first result")
        await bench.seconds(bench.harness("sweep", "--only", bench.cell, "--no-latency"))
    return tuple(await PARTS[name].measure(bench, rounds))


async def _environments(bench: Bench, rounds: int) -> list[Figure]:
    """A warm environment by the harness."""
    return [Figure("a warm environment", "s", tuple(await _warm(bench, rounds)), "at most 5")]


async def _warm(bench: Bench, rounds: int) -> list[float]:
    seconds = []
    for number in range(rounds):
        bench.say(f"environment {number + 1} of {rounds}")
        store = bench.make_folder("store")
        only = ("--only", bench.cell, "--checks", "env.versions")
        await bench.seconds(bench.harness("sweep", *only, "--no-latency", store=store))
        seconds.append(bench.read_result().seconds["environment"])
        shutil.rmtree(store, ignore_errors=True)
    return seconds


async def _plain(bench: Bench, rounds: int) -> list[Figure]:
    """The same by virtualenv and pip in a nox session, in turns with the harness."""
    environment = bench.find_environment()
    ours: list[float] = []
    plain: list[float] = []
    for number in range(rounds):
        ours += await _warm(bench, 1)
        bench.say(f"nox, virtualenv and pip, {number + 1} of {rounds} (minutes)")
        plain.append(await _plain_way(bench, environment))
    return [
        Figure("a warm environment by nox, virtualenv and pip", "s", tuple(plain)),
        compare("nox, virtualenv and pip / harness", plain, ours),
    ]


async def _plain_way(bench: Bench, environment: Path) -> float:
    noxfile = bench.make_folder("plain") / "noxfile.py"
    noxfile.write_text(
        "import nox\n\n\n@nox.session(venv_backend='virtualenv')\ndef plain(session):\n"
        "    session.install('--no-deps', '--require-hashes', "
        f"'-r', {str(environment / 'harness-requirements.txt')!r})\n",
        encoding="utf-8",
    )
    argv = (find_uv_bin(), "tool", "run", "--python", sys.executable, "nox", "-f", str(noxfile))
    return await bench.seconds(argv)


async def _overhead(bench: Bench, rounds: int) -> list[Figure]:
    """A cell through the harness against the same suite started by hand with the same spec."""
    suite = await _make_suite(bench)
    through, by_hand = [], []
    for number in range(rounds):
        bench.say(f"a cell through the harness and by hand, {number + 1} of {rounds}")
        through.append(await _through(bench, bench.cell))
        by_hand.append(await _by_hand(bench, bench.cell, suite))
    return [
        Figure("one cell through the harness", "s", tuple(through)),
        Figure("its suite by hand", "s", tuple(by_hand)),
        compare("through the harness / by hand", through, by_hand, "at most 1.05"),
    ]


async def _further(bench: Bench, rounds: int) -> list[Figure]:
    """What each cell after the first one costs: start and page come once a sweep, and fall out."""
    first, *further = bench.several
    only = [argument for cell in bench.several for argument in ("--only", cell)]
    bench.say(f"making the environments of {len(bench.several)} cells")
    await bench.seconds(bench.harness("sweep", "--no-latency", *only, "--checks", "env.versions"))
    suite = await _make_suite(bench)
    through, by_hand = [], []
    for number in range(rounds):
        bench.say(f"one cell, {len(bench.several)} cells, and these by hand, {number + 1} of {rounds}")
        one = await _through(bench, first)
        through.append((await _through(bench, *bench.several) - one) / len(further))
        by_hand.append(sum([await _by_hand(bench, cell, suite) for cell in further]) / len(further))
    return [
        Figure("each further cell through the harness", "s", tuple(through)),
        Figure("its suite by hand", "s", tuple(by_hand)),
        compare("a further cell / by hand", through, by_hand, "at most 1.05"),
    ]


async def _make_suite(bench: Bench) -> Path:
    """The folder of the suite that cells import."""
    async with AsyncExitStack() as stack:
        return (await snapshot_suite(Store(bench.scratch / "store"), stack)).folder


async def _through(bench: Bench, *cells: str) -> float:
    """Seconds of a sweep of these cells, one after the other."""
    only = [argument for cell in cells for argument in ("--only", cell)]
    return await bench.seconds(bench.harness("sweep", *only, "--jobs", "1", "--no-latency", "--rerun"))


async def _by_hand(bench: Bench, cell: str, suite: Path) -> float:
    """Seconds of the suite of a cell of the newest run, started with a copy of its spec."""
    python = bench.find_environment(cell) / "bin" / "python"
    workdir = bench.make_folder("by-hand")
    spec = _copy_spec(bench.run / "cells" / cell / "spec.json", workdir)
    argv = (str(python), "-m", "harness.cell.start", str(spec))
    return await bench.seconds(argv, env=make_cell_environment(python, suite, workdir, threads=1))


def _copy_spec(spec: Path, workdir: Path) -> Path:
    said = json.loads(spec.read_text(encoding="utf-8"))
    path = workdir / "spec.json"
    path.write_text(json.dumps(said).replace(said["workdir"], str(workdir)), encoding="utf-8")
    return path


async def _cores(bench: Bench, _: int) -> list[Figure]:
    """CPU seconds of all children over wall seconds times cores, with two cells a core to run."""
    only = [argument for cell in bench.several for argument in ("--only", cell)]
    bench.say(f"making the environments of {len(bench.several)} cells")
    await bench.seconds(bench.harness("sweep", "--no-latency", *only, "--checks", "env.versions"))
    bench.say("how busy the cores are during the contract phase")
    counted = ("--no-latency", "--isolation", "none")  # the time of a process in namespaces is not passed up
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = await bench.seconds(bench.harness("sweep", *counted, "--rerun", *only))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return [Figure("cores busy during the contract phase", "%", (100 * cpu / (wall * count_cores()),))]


async def _sweeps(bench: Bench, rounds: int) -> list[Figure]:
    bench.say("the whole sweep, measured anew (minutes)")
    whole = await bench.seconds(bench.harness("sweep", "--rerun"))
    unchanged = []
    for number in range(rounds):
        bench.say(f"the sweep with nothing changed, {number + 1} of {rounds}")
        unchanged.append(await bench.seconds(bench.harness("sweep")))
    return [
        Figure("the whole sweep", "s", (whole,), "at most 720"),
        Figure("the sweep with nothing changed", "s", tuple(unchanged), "at most 5"),
    ]


PARTS = {
    "pages": Part(measure_pages, needs_run=False),
    "environment": Part(_environments),
    "overhead": Part(_overhead),
    "further": Part(_further, usual=False),
    "normalizers": Part(measure_normalizers, usual=False, needs_run=False),
    "isolation": Part(measure_isolation, usual=False),
    "cores": Part(_cores, usual=False),
    "plain": Part(_plain, usual=False),
    "covering": Part(measure_covering, usual=False, needs_run=False),
    "scale": Part(measure_scale, usual=False, needs_run=False),
    "sweep": Part(_sweeps, usual=False),
    "newcomer": Part(measure_newcomer, usual=False, needs_run=False),
}
"""Name -> part, the quick ones first."""
