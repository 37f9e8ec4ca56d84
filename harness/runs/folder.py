"""The folder of a run: write the plan, then the result of each cell; read runs back from folders."""

from __future__ import annotations

import contextlib
import datetime
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from msgspec import structs

from harness.cell.interface import load_checks
from harness.errors import UsageError
from harness.files import inside, redact_file, remove_tree, write_text, write_whole
from harness.held import MAKING, WRITING, claim, making_folder, remove_files
from harness.input_files import MAX_RESULTS, input_fault, is_descriptor, read_input
from harness.judge.snapshot import take_snapshot
from harness.judge.verdict import judge
from harness.processes import end_processes_using
from harness.records import SCHEMA, UNREADABLE, CellResult, Expectation, Plan, Run, Snapshot
from harness.runs.documents import read_gate, read_json, render_json, render_schema
from harness.seals import FAULTS, load_sealer

PLAN = "plan.json"
UNFINISHED = "unfinished"

LATEST = "latest"
"""The newest complete run, sweep or gate: as a name (``harness.runs.find``) and as a link beside the runs."""

RESULTS_FILE = "results.json"

RESULTS = (RESULTS_FILE, "results.json.gz")
"""The names of a file of results, the second where it is published."""

VECTORS = "vectors.npz"
"""The file of vectors in the folder of a cell; see ``harness.cell.recorded``."""

KEPT = ("log.txt", "benchmark.json", VECTORS)
"""The files of a cell, besides its result, that move with it: into the store, and into a merged run."""

REPEATS_FOLDER = "repeats"
"""Within the folder of a gate: one folder for each repeat of its newly red cases."""

GATE_FILE = "gate.json"
"""Present in the folder of a gate, absent in that of a sweep."""


@dataclass(frozen=True)
class RunFolder:
    """``<root>/<run id>``, or another folder with the run of the id ``run``."""

    path: Path
    run: str = ""

    @classmethod
    def create(cls, root: Path, plan: Plan) -> RunFolder:
        """Create the folder with the plan, marked as unfinished; leftovers in ``root`` are removed.

        Raises:
            OSError: the folder cannot be written.
        """
        folder = cls(inside(root, plan.run, "the id of a run"))
        remove_leftovers_of_runs(root)
        write_whole(folder.path / UNFINISHED, b"")
        write_text(folder.path / PLAN, format_json(plan))
        load_sealer().seal(folder.path / PLAN, f"{plan.run}/{PLAN}")
        return folder

    def cell(self, cell: str) -> Path:
        """The folder of one cell, created if needed."""
        folder = inside(self.path / "cells", cell, f"{self.path / PLAN}: the id of a cell")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write_result(self, result: CellResult) -> None:
        """Write the sealed result of a cell."""
        path = self.cell(result.cell) / "result.json"
        write_text(path, format_json(result))
        load_sealer().seal(path, name_result(self.run or self.path.name, result.cell))

    def finish(self) -> None:
        """Mark the run as complete; the link ``latest`` beside it leads to the newest complete run."""
        (self.path / UNFINISHED).unlink(missing_ok=True)
        runs = self.path.parent
        latest = runs / LATEST
        if latest.exists() and (not latest.is_symlink() or latest.resolve().name > self.path.name):
            return  # a file of the user, or a newer run: an id begins with its time
        with contextlib.suppress(OSError), making_folder(runs) as making:  # some file systems have no links
            link = making / LATEST
            link.symlink_to(self.path.name, target_is_directory=True)  # relative to the folder of the link
            link.replace(latest)


def name_run(matrix: str) -> str:
    """A new id of a run: the time (UTC), the matrix and a random suffix."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{matrix}-{secrets.token_hex(2)}"


def name_result(run: str, cell: str) -> str:
    """The name under which the result of a cell is sealed, independent of the folder of the run."""
    return f"{run}/cells/{cell}/result.json"


def find_change(path: Path, name: str, *, sealed: bool = False) -> str:
    """The fault of a file of a run whose content does not match its seal; empty otherwise.

    Runs of earlier versions have no seals, and runs of other machines have seals with another key. Where the
    rest of a run is ``sealed`` with the key of this user, a file without a seal was changed as well.
    """
    state = load_sealer().check(path, name)
    changed = state == "changed" or (state == "unsealed" and sealed)
    return f"{path}: {FAULTS[state]}" if changed else ""


@dataclass(frozen=True)
class StoredRun:
    """A run read from its folder; ``problems`` describes unreadable files."""

    plan: Plan
    results: tuple[CellResult, ...]
    problems: tuple[str, ...]
    finished: bool


def read_run(path: Path) -> StoredRun:
    """Read the folder of a run.

    A damaged result, or one of another cell, becomes a problem instead of a result.

    Raises:
        UsageError: the plan is missing, damaged, or invalid: a path in place of an id, or two cells that
            share a run but have different locks.
    """
    plan = _read_plan(path / PLAN)
    _refuse_twins(plan, path / PLAN)
    sealed = load_sealer().check(path / PLAN, f"{plan.run}/{PLAN}") == "whole"
    results, problems = [], []
    for planned in plan.cells:
        where = f"{path / PLAN}: the id of a cell"
        file = inside(path / "cells", planned.cell.id, where) / "result.json"
        if file.exists() and (fault := input_fault(file, "file")):  # reading a FIFO would block
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
        if change := find_change(file, name_result(plan.run, planned.cell.id), sealed=sealed):
            problems.append(f"{change}; the cell counts as missing")
            continue
        results.append(result)
    return StoredRun(plan, tuple(results), tuple(problems), finished=not (path / UNFINISHED).exists())


def read_stored(path: Path) -> StoredRun:
    """Read the folder of a run, or a file of results without one.

    Raises:
        UsageError: as ``read_run``, or the file is not one of results.
    """
    if path.is_dir():
        return read_run(path)
    run = read_json(path)
    known = {each.cell for each in run.results}
    cells = (each.cell.id for each in run.plan.cells)
    missing = tuple(f"{cell}: no result" for cell in cells if cell not in known)
    return StoredRun(run.plan, run.results, missing, finished=True)


def _read_plan(path: Path) -> Plan:
    try:
        data = read_input(path, MAX_RESULTS)
    except UsageError as error:
        raise UsageError(f"{path.parent}: not the folder of a run: {error}") from None
    try:
        plan = msgspec.json.decode(data, type=Plan)
    except UNREADABLE as error:
        raise UsageError(f"{path}: the plan is incomplete or damaged ({error})") from error
    if plan.schema != SCHEMA:
        raise UsageError(f"{path}: expected schema {SCHEMA}, found {plan.schema}")
    return plan


def _refuse_twins(plan: Plan, path: Path) -> None:
    """Refuse cells that share a run but have different locks: one would pass with results of the other."""
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
    """Read the result of a cell.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is truncated, damaged, of another schema, or names a path; the message names file
            and fault.
    """
    data = path.read_bytes()
    try:
        result = msgspec.json.decode(data, type=CellResult)
    except msgspec.ValidationError as error:
        raise ValueError(f"{path}: not a result of this version of the harness ({error})") from error
    except UNREADABLE as error:
        raise ValueError(f"{path}: the result is incomplete or damaged ({error})") from error
    if result.schema != SCHEMA:
        raise ValueError(f"{path}: expected schema {SCHEMA}, found {result.schema}")
    return result


def remove_leftovers_of_runs(runs: Path) -> None:
    """Remove half-written files from a folder of runs; interrupted runs stay, marked as unfinished.

    The log of a cell is redacted when the cell ends. The logs of a run whose harness was killed are redacted
    here, because no living process holds the mark of that run.
    """
    for unfinished in runs.glob(f"*/{UNFINISHED}"):
        with claim(unfinished) as left:
            places = ("cells/*/log.txt", f"{REPEATS_FOLDER}/*/cells/*/log.txt")
            for log in (log for place in places for log in unfinished.parent.glob(place)) if left else ():
                redact_file(log)
    remove_left_folders(runs.glob(MAKING))
    remove_files(runs.rglob(WRITING))


def remove_left_folders(found: Iterable[Path]) -> None:
    """Remove the folders that no living process holds; orphaned processes that use one are ended."""
    with contextlib.ExitStack() as stack:
        left = [path for path in found if stack.enter_context(claim(path))]
        if left:
            end_processes_using(left)
        for path in left:
            remove_tree(path)


def assemble(
    plan: Plan, results: tuple[CellResult, ...], *, reused: tuple[str, ...], seconds: dict[str, float]
) -> Run:
    """Judge the results of a plan and combine both into a run."""
    judgement = judge(plan, results, load_checks())
    return Run(plan=plan, results=results, judgement=judgement, reused=reused, seconds=seconds)


def write_results(run: Run, folder: Path) -> None:
    """Write the sealed ``results.json`` of a run and its schema into the folder of the run."""
    write_text(folder / RESULTS_FILE, render_json(run))
    load_sealer().seal(folder / RESULTS_FILE, f"{run.plan.run}/{RESULTS_FILE}")
    write_text(folder / "schema.json", render_schema())


def judge_again(folder: Path) -> tuple[Run, StoredRun]:
    """Judge a run again from the files in its folder, without writing; cells without a result are missing.

    Raises:
        UsageError: the folder is not that of a run.
    """
    stored = read_run(folder)
    path = folder / RESULTS_FILE
    if change := find_change(path, f"{stored.plan.run}/{RESULTS_FILE}") if path.exists() else "":
        problem = f"{change}; it is rebuilt from the results of the cells"
        stored = replace(stored, problems=(*stored.problems, problem))
    kept = read_kept(path)
    return assemble(stored.plan, stored.results, reused=kept.reused, seconds=kept.seconds), stored


def replace_expectations(
    folder: Path, expectations: tuple[Expectation, ...], borrowed: tuple[Expectation, ...]
) -> None:
    """Replace the expectations in the plan of a finished run, which decide when it is judged again.

    A plan that was not sealed with the key of this user stays unsealed, because its results are, too.

    Raises:
        UsageError: the plan is missing or damaged.
        OSError: it cannot be written.
    """
    path = folder / PLAN
    plan, sealer = _read_plan(path), load_sealer()
    name = f"{plan.run}/{PLAN}"
    whole = sealer.check(path, name) == "whole"
    write_text(path, format_json(structs.replace(plan, expectations=expectations, borrowed=borrowed)))
    if whole:
        sealer.seal(path, name)


class Kept(msgspec.Struct, frozen=True):
    """The fields of ``results.json`` that cannot be rebuilt from the folders of the cells."""

    reused: tuple[str, ...] = ()
    seconds: dict[str, float] = {}


def read_kept(path: Path) -> Kept:
    """The fields of a ``results.json`` that its cells do not have; empty for an interrupted run."""
    try:
        return msgspec.json.decode(read_input(path, MAX_RESULTS), type=Kept)
    except (UsageError, *UNREADABLE):  # the run was interrupted before it, or the file is rebuilt now
        return Kept()


def read_folder(path: Path) -> Snapshot:
    """Read the run in a folder (of a sweep, of a gate, or published), or in a results file.

    Raises:
        UsageError: there is no run, it is unfinished, or it is of another version.
    """
    if not path.is_dir():
        return read_folder(path.parent) if path.name == GATE_FILE else _read_results(path)
    if (path / UNFINISHED).exists():
        raise UsageError(f"{path}: the run was interrupted; its results are incomplete")
    results = next((path / name for name in RESULTS if (path / name).is_file()), None)
    if results is not None:
        return _read_results(results)
    if not (path / GATE_FILE).is_file():
        raise UsageError(f"{path}: expected a run: results.json, results.json.gz or gate.json")
    return take_snapshot(read_run(path).plan, (), None, read_gate(path / GATE_FILE))  # a refused gate


def _read_results(path: Path) -> Snapshot:
    run = read_json(path)
    file = path.parent / GATE_FILE
    gate = read_gate(file) if file.is_file() else None
    if gate is not None and gate.run != run.plan.run:
        raise UsageError(f"{file}: expected run {run.plan.run} of {path.name}, found {gate.run}")
    return take_snapshot(run.plan, run.results, run.judgement, gate)


def find_folders(path: Path) -> Iterator[Path]:
    """The folder itself if it holds a run, else the folders of runs in it, by name.

    Raises:
        UsageError: there is no run.
    """
    if is_descriptor(path) or path.is_file() or is_run(path):
        yield path
        return
    inside = sorted(path.iterdir()) if path.is_dir() else []
    found = [each for each in inside if not each.is_symlink() and is_run(each)]  # without the link `latest`
    if not found:
        raise UsageError(f"{path}: expected a run, or a folder of runs such as reports/runs")
    yield from found


def is_run(path: Path) -> bool:
    """Whether a folder holds a run: its plan, or what a finished one left."""
    return path.is_dir() and any((path / name).is_file() for name in (*RESULTS, GATE_FILE, PLAN))
