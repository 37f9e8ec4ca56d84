"""The same sweep by one machine, by shards that are merged, and by workers with stores of their own."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import MachineError
from harness.matrix.read import shipped_matrices
from harness.processes import run
from harness.records import Run
from harness.runs.documents import read_json
from harness.runs.folder import RESULTS_FILE

ROOT = Path(__file__).parents[2]
NAME = "machines"
COUNT = 4
"""Shards, and workers."""

MATRIX = """\
# Eight cells that run, two of them with vectors of NaN, one that cannot be imported, one without a solution.
schema = 1
title = "The same sweep on one machine and on several"

[axes]
openvino = ["2025.2.0", "2026.4.1"]
numpy = ["1.26.2", "2.0.2"]
sentence-transformers = ["3.3.1", "6.2.0"]

[baseline]
openvino = "2026.4.1"
numpy = "1.26.2"
sentence-transformers = "3.3.1"

[[include]]
openvino = "2025.2.0"
numpy = "2.4.6"
sentence-transformers = "3.3.1"
reason = "OpenVINO bounds NumPy: no solution"

[[include]]
openvino = "2026.4.1"
numpy = "1.26.2"
sentence-transformers = "2.2.2"
source = ["sentence-transformers"]
reason = "cannot be imported"

"""


@dataclass(frozen=True)
class Timed:
    """A sweep that was measured: its run, the seconds of its checks, and its share of all cores."""

    run: Run
    seconds: float
    busy: float


@dataclass(frozen=True)
class Machines:
    """Where the sweeps work, a folder each, with a store of their own."""

    folder: Path
    say: Callable[[str], None]
    cores: int

    @property
    def matrix(self) -> Path:
        """The matrix that is swept in each way; the pins and the model are those of the default matrix."""
        return self.folder / "matrices" / f"{NAME}.toml"

    def write_matrix(self) -> None:
        """Write the matrix, without expectations: what is wrong in a cell is red."""
        self.matrix.parent.mkdir(parents=True, exist_ok=True)
        shipped = (shipped_matrices() / "openvino.toml").read_text(encoding="utf-8")
        pins = shipped[shipped.index("[pins]") :]
        self.matrix.write_text(MATRIX + pins, encoding="utf-8")

    async def lock(self) -> None:
        """Write the locks of the matrix: machines that resolve by themselves may differ.

        Raises:
            MachineError: they cannot be made.
        """
        self.say("locks")
        await self._harness("lock", "--matrix", str(self.matrix))

    async def sweep_alone(self) -> Timed:
        """The sweep of one machine, with a cell on each core."""
        self.say("one machine")
        return await self._sweep("alone", str(self.matrix))

    async def sweep_shards(self) -> Run:
        """Shards, each on a machine of its own, one after the other, and merged."""
        runs = []
        for number in range(1, COUNT + 1):
            self.say(f"shard {number}/{COUNT}")
            way = f"shard-{number}"
            await self._sweep(way, str(self.matrix), "--shard", f"{number}/{COUNT}")
            runs.append(str(self._run_of(way)))
        reports = self.folder / "merged" / "reports"
        await self._harness("merge", *runs, "--reports", str(reports))
        return read_json(self._run_of("merged") / RESULTS_FILE)

    async def sweep_workers(self, way: str = "client", matrix: str = "") -> Timed:
        """The sweep on the workers of a cluster, each of which makes environments in a store of its own.

        Raises:
            MachineError: a worker ran no cell, or the client did: the sweep shows less than it should.
        """
        self.say(f"{COUNT} workers: {matrix or NAME}")
        address = ("--executor", f"dask://local?workers={COUNT}")
        timed = await self._sweep(way, matrix or str(self.matrix), *address)
        stores = [self.folder / way / f"store-worker-{number}" for number in range(1, COUNT + 1)]
        made = [len([*store.glob("envs/*")]) for store in stores]
        if not all(made) or (self.folder / way / "store" / "envs").exists():
            raise MachineError(f"environments in the stores of the workers: {made}; each should have some")
        return timed

    async def _sweep(self, way: str, matrix: str, *options: str) -> Timed:
        places = ("--store", str(self.folder / way / "store"), "--reports", str(self._reports_of(way)))
        before = _count_cpu()
        await self._harness("sweep", "--matrix", matrix, "--no-latency", "--plain", *places, *options)
        found = read_json(self._run_of(way) / RESULTS_FILE)
        cpu = _count_cpu() - before
        return Timed(found, found.seconds["contract"], cpu / (found.seconds["total"] * self.cores))

    def _reports_of(self, way: str) -> Path:
        return self.folder / way / "reports"

    def _run_of(self, way: str) -> Path:
        """The folder of the newest run."""
        return max(self._reports_of(way).glob("runs/2*"))

    async def _harness(self, *arguments: str) -> None:
        """Run a command; a red verdict is a result like any other.

        Raises:
            MachineError: the command could not do its work.
        """
        argv = (sys.executable, "-m", "harness", *arguments)
        env = {**os.environ, "PYTHONPATH": str(ROOT)}  # a worker starts its tasks in other folders
        done = await run(argv, env=env, cwd=ROOT)
        if done.returncode in {2, 5} or done.returncode < 0:
            said = (done.stdout + done.stderr)[-2000:]
            raise MachineError(f"{' '.join(argv)}: exit {done.returncode}\n{said}")


def _count_cpu() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
