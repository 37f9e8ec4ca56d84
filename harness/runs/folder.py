"""The folder of a run: plan first, then what each cell left; how it is read back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.files import inside, remove_tree, write_text, write_whole
from harness.held import MAKING, WRITING, claim, making_folder, remove_files
from harness.judge.snapshot import take_snapshot
from harness.processes import end_processes_using
from harness.reading import MAX_RESULTS, input_fault, is_descriptor, read_input
from harness.records import SCHEMA, UNREADABLE, CellResult, Plan, Snapshot
from harness.runs.documents import read_gate, read_json
from harness.seals import FAULTS, load_sealer

PLAN = "plan.json"
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
        """Write the plan into a new folder, marked as unfinished; what killed processes left beside it goes.

        Raises:
            OSError: it cannot be written.
        """
        folder = cls(inside(root, plan.run, "the id of a run"))
        remove_leftovers_of_runs(root)
        write_whole(folder.path / UNFINISHED, b"")
        write_text(folder.path / PLAN, format_json(plan))
        return folder

    def cell(self, cell: str) -> Path:
        """The folder of one cell, made if need be."""
        folder = inside(self.path / "cells", cell, f"{self.path / PLAN}: the id of a cell")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write_result(self, result: CellResult) -> None:
        """Write what a cell left."""
        path = self.cell(result.cell) / "result.json"
        write_text(path, format_json(result))
        load_sealer().seal(path, name_result(self.run or self.path.name, result.cell))

    def finish(self) -> None:
        """Everything that the run was to leave is there: it is complete, and the latest."""
        (self.path / UNFINISHED).unlink(missing_ok=True)
        runs = self.path.parent
        latest = runs / LATEST
        if latest.exists() and not latest.is_symlink():
            return  # somebody else's
        with contextlib.suppress(OSError), making_folder(runs) as making:  # some file systems have no links
            link = making / LATEST
            link.symlink_to(self.path.name, target_is_directory=True)  # as it is read in its place
            link.replace(latest)


def name_result(run: str, cell: str) -> str:
    """What the result of a cell in a run is called, wherever the folder of the run lies."""
    return f"{run}/cells/{cell}/result.json"


def find_change(path: Path, name: str) -> str:
    """What is wrong with a file of a run, in words; empty where it is as the run wrote it.

    A run of an earlier version has no seals, one of another machine those of another key.
    """
    state = load_sealer().check(path, name)
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
        UsageError: there is no plan, or it is damaged, or names a path where an id belongs; or two of its
            cells share a run but no lock.
    """
    plan = _read_plan(path / PLAN)
    _refuse_twins(plan, path / PLAN)
    results, problems = [], []
    for planned in plan.cells:
        where = f"{path / PLAN}: the id of a cell"
        file = inside(path / "cells", planned.cell.id, where) / "result.json"
        if file.exists() and (fault := input_fault(file, "file")):  # reading a FIFO would never end
            problems.append(fault)
            continue
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
        data = read_input(path, MAX_RESULTS)
    except UsageError as error:
        raise UsageError(f"{path.parent}: not the folder of a run: {error}") from None
    try:
        plan = msgspec.json.decode(data, type=Plan)
    except UNREADABLE as error:
        raise UsageError(f"{path}: not a whole plan ({error})") from error
    if plan.schema != SCHEMA:
        raise UsageError(f"{path}: schema {plan.schema}, but {SCHEMA} was expected")
    return plan


def _refuse_twins(plan: Plan, path: Path) -> None:
    """See that cells which share a run have equal locks: else one cell would pass with results of another."""
    digests = {planned.cell.id: planned.lock.digest for planned in plan.cells}
    for planned in plan.cells:
        if planned.same_as is not None and digests.get(planned.same_as) != planned.lock.digest:
            raise UsageError(
                f"{path}: {planned.cell.id} shares the run of {planned.same_as}, but their locks differ"
            )


def format_json(record: msgspec.Struct) -> str:
    """A record as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1).decode() + "\n"


def read_result(path: Path) -> CellResult:
    """The result in a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is cut off, damaged, of another schema, or names a path; the message names the file and
            the fault.
    """
    data = path.read_bytes()
    try:
        result = msgspec.json.decode(data, type=CellResult)
    except msgspec.ValidationError as error:
        raise ValueError(f"{path}: not a result as this version writes it ({error})") from error
    except UNREADABLE as error:
        raise ValueError(f"{path}: not a whole result ({error})") from error
    if result.schema != SCHEMA:
        raise ValueError(f"{path}: schema {result.schema}, but {SCHEMA} was expected")
    return result


def remove_leftovers_of_runs(runs: Path) -> None:
    """Remove half-written files from a folder of runs; a run that was cut off stays, and says so."""
    remove_left_folders(runs.glob(MAKING))
    remove_files(runs.rglob(WRITING))


def remove_left_folders(found: Iterable[Path]) -> None:
    """Remove those folders that no living process holds; processes that still work in one are ended."""
    with contextlib.ExitStack() as stack:
        left = [path for path in found if stack.enter_context(claim(path))]
        if left:
            end_processes_using(left)
        for path in left:
            remove_tree(path)


# Runs that lie in folders: of this machine, of somebody else's artifact, or published.

RESULTS = ("results.json", "results.json.gz")


def read_folder(path: Path) -> Snapshot:
    """The run in a folder (of a sweep, of a gate, or published), or in a file of results.

    Raises:
        UsageError: there is none, it was cut off, or it is not as this version writes it.
    """
    if not path.is_dir():
        return read_folder(path.parent) if path.name == GATE_FILE else _read_results(path)
    if (path / UNFINISHED).exists():
        raise UsageError(f"{path}: a run that was cut off; its results are not complete")
    results = next((path / name for name in RESULTS if (path / name).is_file()), None)
    if results is not None:
        return _read_results(results)
    if not (path / GATE_FILE).is_file():
        raise UsageError(f"{path}: no run: no results.json, results.json.gz or gate.json in it")
    return take_snapshot(read_run(path).plan, (), None, read_gate(path / GATE_FILE))  # it was refused


def _read_results(path: Path) -> Snapshot:
    run = read_json(path)
    beside = path.parent / GATE_FILE
    gate = read_gate(beside) if beside.is_file() else None
    if gate is not None and gate.run != run.plan.run:
        raise UsageError(f"{beside}: of run {gate.run}, but beside it lie the results of {run.plan.run}")
    return take_snapshot(run.plan, run.results, run.judgement, gate)


def find_folders(path: Path) -> Iterator[Path]:
    """The folder itself if it is one of a run, else the folders of runs in it, by name.

    Raises:
        UsageError: there is none.
    """
    if is_descriptor(path) or path.is_file() or _is_run(path):
        yield path
        return
    inside = sorted(path.iterdir()) if path.is_dir() else []
    found = [each for each in inside if not each.is_symlink() and _is_run(each)]  # not `latest`, twice
    if not found:
        raise UsageError(f"{path}: no run there, and no folder of runs such as reports/runs")
    yield from found


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in (*RESULTS, GATE_FILE, "plan.json"))
