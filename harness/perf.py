"""What the harness costs, measured by running it as people do; shown, never asserted.

Every figure that is compared is taken in the same run, A B A B, because machines are noisy: read the ratios.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from uv import find_uv_bin

from harness.errors import MachineError
from harness.processes import run
from harness.run.options import count_cores
from harness.run.surroundings import make_surroundings


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


def render_figures(figures: Sequence[Figure], *, width: int = 100) -> str:
    """The figures as a table: median, smallest, largest, how many, and the goal."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("cost")
    for name in ("median", "min", "max", "n"):
        table.add_column(name, justify="right")
    table.add_column("goal")
    for figure in figures:
        low, high = min(figure.values), max(figure.values)
        numbers = [f"{value:.2f} {figure.unit}" for value in (figure.median, low, high)]
        table.add_row(figure.name, *numbers, str(len(figure.values)), figure.goal)
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


@dataclass(frozen=True)
class Bench:
    """Where and on what the costs are measured: one cell of a matrix, in a scratch folder."""

    matrix: str
    cell: str
    several: tuple[str, ...]  # cells for the contract phase, twice as many as there are cores
    scratch: Path
    say: Callable[[str], None]

    def harness(self, *arguments: str, store: str = "store") -> tuple[str, ...]:
        """The command line of the harness, with its store and reports in the scratch folder."""
        places = ("--store", str(self.scratch / store), "--reports", str(self.scratch / "reports"))
        return (sys.executable, "-m", "harness", *arguments, "--matrix", self.matrix, "--plain", *places)

    async def seconds(self, argv: Sequence[str], *, env: dict[str, str] | None = None) -> float:
        """Wall seconds of a command; a red verdict is a result like any other, a broken harness is not.

        Raises:
            MachineError: the command could not do its work (exit 2 or 5).
        """
        begun = time.perf_counter()
        done = await run(argv, env=env, cwd=Path.cwd())
        if done.returncode in {2, 5} or done.returncode < 0:
            raise MachineError(
                f"{' '.join(argv)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}"
            )
        return time.perf_counter() - begun


async def measure(bench: Bench, *, rounds: int, plain_rounds: int, whole: bool) -> tuple[Figure, ...]:
    """Every figure, in the order of the table."""
    bench.say("making the environment, the model and the first result")
    await bench.seconds(bench.harness("sweep", "--only", bench.cell, "--no-latency"))
    figures = [
        *await _environments(bench, rounds, plain_rounds),
        *await _overhead(bench, rounds),
        await _cores(bench),
    ]
    if whole:
        figures += await _sweeps(bench, rounds)
    return tuple(figures)


async def _environments(bench: Bench, rounds: int, plain_rounds: int) -> list[Figure]:
    """A warm environment by the harness, and the plain way beside it: virtualenv and pip in a nox session."""
    ours: list[float] = []
    plain: list[float] = []
    for number in range(rounds):
        bench.say(f"environment {number + 1} of {rounds}")
        folder = f"store-{number}"
        await bench.seconds(bench.harness("sweep", "--only", bench.cell, "--no-latency", store=folder))
        ours.append(_result(bench)["seconds"]["environment"])
        if number < plain_rounds:
            bench.say(f"the plain way {number + 1} of {plain_rounds} (minutes)")
            plain.append(await _plain_way(bench, number))
    figures = [Figure("a warm environment", "s", tuple(ours), "at most 5")]
    if plain:
        ratios = tuple(there / here for here, there in zip(ours, plain, strict=False))
        figures += [
            Figure("the same by nox, virtualenv and pip", "s", tuple(plain)),
            Figure("plain way / harness", "x", ratios),
        ]
    return figures


async def _plain_way(bench: Bench, number: int) -> float:
    folder = bench.scratch / f"plain-{number}"
    folder.mkdir()
    lock = next((bench.scratch / "store" / "envs").glob("*/harness-requirements.txt"))
    (folder / "noxfile.py").write_text(
        "import nox\n\n\n@nox.session(venv_backend='virtualenv')\ndef plain(session):\n"
        f"    session.install('--no-deps', '--require-hashes', '-r', {str(lock)!r})\n",
        encoding="utf-8",
    )
    argv = (find_uv_bin(), "tool", "run", "--python", sys.executable, "nox", "-f", str(folder / "noxfile.py"))
    return await bench.seconds(argv)


async def _overhead(bench: Bench, rounds: int) -> list[Figure]:
    """A cell through the harness against the same suite started by hand with the same spec."""
    result = _run_folder(bench) / "cells" / bench.cell / "spec.json"
    python = next((bench.scratch / "store" / "envs").glob("*/bin/python"))
    suite = next(path for path in (bench.scratch / "store" / "suite").iterdir() if path.is_dir())
    through, by_hand = [], []
    for number in range(rounds):
        bench.say(f"a cell through the harness and by hand, {number + 1} of {rounds}")
        through.append(
            await bench.seconds(bench.harness("sweep", "--only", bench.cell, "--no-latency", "--rerun"))
        )
        workdir = bench.scratch / f"by-hand-{number}"
        argv = (str(python), "-m", "harness.cell.start", str(_copy_spec(result, workdir)))
        by_hand.append(await bench.seconds(argv, env=make_surroundings(python, suite, workdir, threads=1)))
    ratios = tuple(ours / alone for ours, alone in zip(through, by_hand, strict=True))
    return [
        Figure("one cell through the harness", "s", tuple(through)),
        Figure("its suite by hand", "s", tuple(by_hand)),
        Figure("through the harness / by hand", "x", ratios, "at most 1.10"),
    ]


def _copy_spec(spec: Path, workdir: Path) -> Path:
    said = json.loads(spec.read_text(encoding="utf-8"))
    workdir.mkdir()
    path = workdir / "spec.json"
    path.write_text(json.dumps({**said, "workdir": str(workdir)}), encoding="utf-8")
    return path


async def _cores(bench: Bench) -> Figure:
    """CPU seconds of all children over wall seconds times cores, with two cells a core to run."""
    only = [argument for cell in bench.several for argument in ("--only", cell)]
    bench.say(f"making the environments of {len(bench.several)} cells")
    await bench.seconds(bench.harness("sweep", "--no-latency", *only, "--checks", "env.versions"))
    bench.say("how busy the cores are during the contract phase")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = await bench.seconds(bench.harness("sweep", "--no-latency", "--rerun", *only))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Figure("cores busy during the contract phase", "%", (100 * cpu / (wall * count_cores()),))


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


def _run_folder(bench: Bench) -> Path:
    return (bench.scratch / "reports" / "runs" / "latest").resolve()


def _result(bench: Bench) -> dict[str, dict[str, float]]:
    path = _run_folder(bench) / "cells" / bench.cell / "result.json"
    result: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return result


@contextlib.contextmanager
def open_scratch(keep: Path | None) -> Iterator[Path]:
    """A folder for everything that measuring leaves: ``keep``, or one that is removed at the end."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="harness-perf-") as folder:
        yield Path(folder)
