"""Where the costs are measured: the harness as a command over one cell, in a scratch folder."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.errors import MachineError
from harness.processes import run
from harness.records import Cell, CellResult, Plan

Read = TypeVar("Read")


@dataclass(frozen=True)
class Bench:
    """Where and on what the costs are measured: one cell of a matrix, in a scratch folder."""

    matrix: str
    cell: str
    several: tuple[str, ...]  # cells for the contract phase, twice as many as there are cores
    scratch: Path
    say: Callable[[str], None]

    def harness(self, *arguments: str, store: str | Path = "store") -> tuple[str, ...]:
        """The command line of the harness, with its store and reports in the scratch folder."""
        places = ("--store", str(self.scratch / store), "--reports", str(self.scratch / "reports"))
        return (sys.executable, "-m", "harness", *arguments, "--matrix", self.matrix, "--plain", *places)

    async def seconds(
        self, argv: Sequence[str], *, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> float:
        """Wall seconds of a command; a red verdict is a result like any other, a broken harness is not.

        Raises:
            MachineError: the command could not do its work (exit 2 or 5, or a signal).
        """
        begun = time.perf_counter()
        done = await run(argv, env=env, cwd=cwd or Path.cwd())
        if done.returncode in {2, 5} or done.returncode < 0:
            raise MachineError(
                f"{' '.join(argv)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}"
            )
        return time.perf_counter() - begun

    async def tell(self, argv: Sequence[str], kind: type[Read]) -> Read:
        """What a command that measures itself prints, as JSON of this kind.

        Raises:
            MachineError: it failed, or printed something else.
        """
        done = await run(argv, cwd=Path.cwd())
        if done.returncode != 0:
            raise MachineError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr[-2000:]}")
        try:
            return msgspec.json.decode(done.stdout, type=kind)
        except msgspec.DecodeError as error:
            raise MachineError(f"{' '.join(argv)}: {error}: {done.stdout[:200]}") from error

    def make_folder(self, name: str) -> Path:
        """A folder that nothing was ever in, also where the scratch folder was kept from another time."""
        return Path(tempfile.mkdtemp(dir=self.scratch, prefix=f"{name}-"))

    @property
    def run(self) -> Path:
        """The folder of the newest run."""
        return (self.scratch / "reports" / "runs" / "latest").resolve()

    def read_result(self) -> CellResult:
        """What the cell left in the newest run.

        Raises:
            MachineError: it left nothing, or came to no end.
        """
        result = _read(self.run / "cells" / self.cell / "result.json", CellResult)
        if result.status not in {"ok", "failed"}:
            raise MachineError(f"{self.cell} is {result.status}: {result.reason}")
        return result

    def find_environment(self, name: str = "") -> Path:
        """The environment of a cell, by default of the one that is measured, in the first store.

        Raises:
            MachineError: there is no run to tell which it is.
        """
        name = name or self.cell
        found = [environment for cell, environment in self.find_environments() if cell.id == name]
        if not found:
            raise MachineError(f"{self.run}: {name} is not in the plan")
        return found[0]

    def find_environments(self) -> list[tuple[Cell, Path]]:
        """The cells of the newest run with their environments in the first store.

        Raises:
            MachineError: there is no run to tell which they are.
        """
        plan = _read(self.run / "plan.json", Plan)
        envs = self.scratch / "store" / "envs"
        return [(each.cell, envs / each.lock.digest[:20]) for each in plan.cells]


def _read(path: Path, kind: type[Read]) -> Read:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise MachineError(f"{path}: nothing to measure there: {error}") from error
