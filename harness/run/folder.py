"""The folder of a run: plan first, then what each cell left; a run that was cut off says so."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.files import write_whole
from harness.records import SCHEMA, CellResult, Plan
from harness.run.results import find_path_fault, read_result
from harness.run.seals import FAULTS, load_sealer

UNFINISHED = "unfinished"
LATEST = "latest"

GATE_FILE = "gate.json"
"""Tells the folder of a gate from that of a sweep."""


@dataclass(frozen=True)
class RunFolder:
    """``<root>/<run id>``, or another folder that holds the run of the id ``run``."""

    path: Path
    run: str = ""

    @classmethod
    def create(cls, root: Path, plan: Plan) -> RunFolder:
        """Write the plan into a new folder, marked as unfinished.

        Raises:
            OSError: it cannot be written.
        """
        folder = cls(root / plan.run)
        write_whole(folder.path / UNFINISHED, b"")
        write_whole(folder.path / "plan.json", format_json(plan))
        return folder

    def cell(self, cell: str) -> Path:
        """The folder of one cell, made if need be."""
        folder = self.path / "cells" / cell
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write_result(self, result: CellResult) -> None:
        """Write what a cell left."""
        path = self.cell(result.cell) / "result.json"
        write_whole(path, format_json(result))
        load_sealer().seal(path, name_result(self.run or self.path.name, result.cell))

    def finish(self) -> None:
        """Everything that the run was to leave is there: it is complete, and the latest."""
        (self.path / UNFINISHED).unlink(missing_ok=True)
        link = self.path.parent / f".{LATEST}-{os.getpid()}"
        with contextlib.suppress(OSError):  # a file system without links goes without
            link.unlink(missing_ok=True)
            link.symlink_to(self.path.name, target_is_directory=True)
            link.replace(self.path.parent / LATEST)


def name_result(run: str, cell: str) -> str:
    """What the result of a cell in a run is called, wherever the folder of the run lies."""
    return f"{run}/cells/{cell}/result.json"


def find_change(path: Path, name: str) -> str:
    """What is wrong with a file of a run, in words; empty where it is as the run wrote it.

    A run of an earlier version has no seals, one of another machine those of another key.
    """
    state = load_sealer().look(path, name)
    return f"{path}: {FAULTS[state]}" if state == "changed" else ""


@dataclass(frozen=True)
class StoredRun:
    """A run read back: ``problems`` tells, for a person, what could not be read."""

    plan: Plan
    results: tuple[CellResult, ...]
    problems: tuple[str, ...]
    finished: bool


def read_run(path: Path) -> StoredRun:
    """Read the folder of a run.

    A result that is damaged, or of a cell that was not planned, is a problem and no result.

    Raises:
        UsageError: there is no plan, or it is damaged.
    """
    plan = _read_plan(path / "plan.json")
    results, problems = [], []
    for planned in plan.cells:
        file = path / "cells" / planned.cell.id / "result.json"
        try:
            result = read_result(file)
        except FileNotFoundError:
            problems.append(f"{planned.cell.id}: no result")
            continue
        except ValueError as error:
            problems.append(str(error))
            continue
        if result.cell != planned.cell.id:
            problems.append(f"{file}: the result of {result.cell}, but should be of {planned.cell.id}")
            continue
        if change := find_change(file, name_result(plan.run, planned.cell.id)):
            problems.append(f"{change}; the cell counts as missing")
            continue
        results.append(result)
    return StoredRun(plan, tuple(results), tuple(problems), finished=not (path / UNFINISHED).exists())


def _read_plan(path: Path) -> Plan:
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError as error:
        raise UsageError(f"{path}: not the folder of a run: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: not a whole plan ({error})") from error
    if plan.schema != SCHEMA:
        raise UsageError(f"{path}: schema {plan.schema}, but {SCHEMA} was expected")
    for name in (plan.run, *(planned.cell.id for planned in plan.cells)):
        if fault := find_path_fault(name):
            raise UsageError(f"{path}: {fault}")
    return plan


def format_json(record: msgspec.Struct) -> bytes:
    """A record as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
