"""The stages of a sweep in their order: matrix, plan, locks, environments, cells, judgement."""

from __future__ import annotations

import datetime
import difflib
import fnmatch
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from harness.cell.interface import load_checks
from harness.errors import MachineError, UsageError
from harness.files import describe_os_error, write_text
from harness.judge.verdict import judge
from harness.matrix.expand import MAX_CELLS
from harness.matrix.expected import borrowed_for, check_corpus, expectations_for, tolerances_of
from harness.matrix.read import describe_sweep, find_matrix, read_matrix, shipped_golden
from harness.matrix.schema import Matrix
from harness.reading import MAX_RESULTS, exists, input_fault, read_input
from harness.records import UNREADABLE, CellResult, Earlier, Plan, PlannedCell, Progress, Run
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.revisions import read_revision
from harness.runs.documents import render_json, render_schema
from harness.runs.folder import GATE_FILE, LATEST, UNFINISHED, RunFolder, StoredRun, find_change, read_run
from harness.seals import load_sealer
from harness.store.models import make_environments, make_installer, prepare_material
from harness.store.result_store import ResultStore
from harness.store.store import Store
from harness.sweep.limits import Options, read_machine
from harness.sweep.planning import PlanOptions, build_plan
from harness.sweep.schedule import Supplies, sweep

# What becomes of a run that has ended: its judgement, and the way back to it later.

RESULTS = "results.json"


def assemble(
    plan: Plan, results: tuple[CellResult, ...], *, reused: tuple[str, ...], seconds: dict[str, float]
) -> Run:
    """A judged run."""
    judgement = judge(plan, results, load_checks())
    return Run(plan=plan, results=results, judgement=judgement, reused=reused, seconds=seconds)


def write_results(run: Run, folder: Path) -> None:
    """Write the judged run and the schema of its file into its folder, sealed."""
    write_text(folder / RESULTS, render_json(run))
    load_sealer().seal(folder / RESULTS, f"{run.plan.run}/{RESULTS}")
    write_text(folder / "schema.json", render_schema())


def judge_again(folder: Path) -> tuple[Run, StoredRun]:
    """Judge a run once more from what lies in its folder, and write nothing; cells not there are missing.

    Raises:
        UsageError: it is not the folder of a run.
    """
    stored = read_run(folder)
    path = folder / RESULTS
    if change := find_change(path, f"{stored.plan.run}/{RESULTS}") if path.exists() else "":
        told = f"{change}; it is made anew from the results of the cells"
        stored = replace(stored, problems=(*stored.problems, told))
    kept = _read_kept(path)
    return assemble(stored.plan, stored.results, reused=kept.reused, seconds=kept.seconds), stored


class _Kept(msgspec.Struct, frozen=True):
    """The part of ``results.json`` that the folders of the cells do not hold."""

    reused: tuple[str, ...] = ()
    seconds: dict[str, float] = {}


def _read_kept(path: Path) -> _Kept:
    try:
        return msgspec.json.decode(read_input(path, MAX_RESULTS), type=_Kept)
    except (UsageError, *UNREADABLE):  # cut off before it was written; or it is made anew now
        return _Kept()


def find_sweep(reports: Path, name: str | None) -> Path:
    """The folder of a sweep: named by id or path, or the newest that is complete; a gate is none.

    Raises:
        UsageError: there is none.
    """
    if name is not None:
        return find_run(reports, name)
    for folder in sorted((reports / "runs").glob("2*"), key=lambda path: path.name, reverse=True):
        if not (folder / GATE_FILE).exists() and not (folder / UNFINISHED).exists():
            return folder.resolve()
    raise UsageError(f"{reports / 'runs'}: no complete sweep there; run `{describe_sweep()}` first")


def find_run(reports: Path, name: str | None) -> Path:
    """The folder of a run: named by id or path, or the newest that is complete.

    Raises:
        UsageError: there is none; lists the newest.
    """
    runs = reports / "runs"
    wanted = runs / (name or LATEST)
    if name is not None and not exists(wanted) and exists(Path(name)):
        wanted = Path(name)
    if not exists(wanted):
        there = sorted((path.name for path in runs.glob("2*")), reverse=True)[:5]
        listed = f"; the newest are: {', '.join(there)}" if there else f"; run `{describe_sweep()}` first"
        raise UsageError(f"{wanted}: no such run{listed}")
    if fault := input_fault(wanted, "folder"):
        raise UsageError(f"{fault}, that of a run")
    return wanted.resolve()


Notify = Callable[[Progress], None]


@dataclass(frozen=True)
class Request:
    """What a person asked for: cells by globs over their ids, checks by globs over case ids."""

    matrix: Matrix
    store: Store
    reports: Path
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    golden: Path | None = None
    command: str = "harness sweep"
    python_downloads: bool = False
    options: Options = field(default_factory=Options)


def open_matrix(wanted: str, *, rounds: int | None = None, max_cells: int = MAX_CELLS) -> Matrix:
    """The matrix of this name or path, with another number of latency rounds where one is given.

    Raises:
        UsageError: there is none, it breaks a rule, or has more than ``max_cells`` cells, or a file that goes
            with it has a fault.
    """
    matrix = read_matrix(find_matrix(wanted, Path.cwd()), max_cells=max_cells)
    check_files(matrix)
    if rounds is None:
        return matrix
    return msgspec.structs.replace(matrix, latency=msgspec.structs.replace(matrix.latency, rounds=rounds))


def check_files(matrix: Matrix) -> None:
    """Read the expectations, tolerances and corpus of a matrix: before anything is resolved or downloaded.

    Raises:
        UsageError: a fault in one of them.
    """
    expectations_for(matrix)
    borrowed_for(matrix)
    tolerances_of(matrix)
    check_corpus(matrix)


async def make_plan(request: Request, settings: IndexSettings, notify: Notify) -> Plan:
    """The plan of a run, nothing of it run yet; its id is the time (UTC), the matrix and a little chance.

    Raises:
        UsageError: a glob that matches nothing, or a file of the matrix that breaks a rule.
        MachineError: uv or the network failed.
    """
    find_golden(request.golden)  # a misspelt path is told at once
    now = datetime.datetime.now(datetime.UTC)
    chosen = PlanOptions(
        run_id=f"{now:%Y%m%d-%H%M%S}-{request.matrix.name}-{secrets.token_hex(2)}",
        only=request.only,
        skip=request.skip,
    )
    plan = await build_plan(request.matrix, settings, chosen, machine=read_machine(), notify=notify)
    plan = msgspec.structs.replace(plan, command=request.command, commit=await read_revision(Path.cwd()))
    if not request.options.latency:
        plan = msgspec.structs.replace(plan, scenarios=())  # a plan promises what will be measured
    return narrow_checks(plan, request.checks) if request.checks else plan


def narrow_checks(plan: Plan, globs: Sequence[str]) -> Plan:
    """The plan with only those cases that match a glob.

    Raises:
        UsageError: a glob that matches no case.
    """
    owed = {case for planned in plan.cells for case in planned.cases}
    for glob in globs:
        if owed and not fnmatch.filter(owed, glob):
            near = difflib.get_close_matches(glob, sorted(owed), n=3, cutoff=0.3)
            raise UsageError(f"--checks {glob!r} matches no check; near it: {', '.join(near) or 'nothing'}")

    def narrow(planned: PlannedCell) -> PlannedCell:
        cases = tuple(
            case for case in planned.cases if any(fnmatch.fnmatchcase(case, glob) for glob in globs)
        )
        return msgspec.structs.replace(planned, cases=cases)

    baseline = plan.baseline_cell
    return msgspec.structs.replace(
        plan,
        cells=tuple(map(narrow, plan.cells)),
        baseline_cell=None if baseline is None else narrow(baseline),
        subset=True,
    )


Render = Callable[[Run, Path], Earlier]
"""Renders a judged run into its folder, and returns what earlier runs say of it."""


async def run_plan(
    request: Request, plan: Plan, settings: IndexSettings, notify: Notify, render: Render
) -> tuple[Run, Earlier]:
    """Run what is planned, judge it, and write everything that a run leaves; with what earlier runs say.

    Raises:
        HarnessError: the harness or the machine failed; a cell that fails has a status instead.
    """
    run, folder = await measure_plan(request, plan, settings, notify)
    write_results(run, folder)
    earlier = render(run, folder)
    RunFolder(folder).finish()
    return run, earlier


def begin_nothing(_: Path) -> None:
    """A sweep leaves nothing beside its plan before its cells have run."""


async def measure_plan(
    request: Request,
    plan: Plan,
    settings: IndexSettings,
    notify: Notify,
    begin: Callable[[Path], None] = begin_nothing,
) -> tuple[Run, Path]:
    """Run what is planned and judge it; the plan and the results lie in the folder of the run.

    The folder stays marked as unfinished: whoever called goes on in it. ``begin`` is called with it before
    anything runs.

    Raises:
        HarnessError: as ``run_plan``.
    """
    begun = time.monotonic()

    def say(text: str) -> None:
        notify(Progress(cell="", stage="note", note=text))

    installer = make_installer(settings, downloads=request.python_downloads)
    async with AsyncExitStack() as stack:
        material = await prepare_material(
            request.matrix,
            request.store,
            installer,
            say,
            stack,
            golden=find_golden(request.golden),
            only=request.checks,
        )
        folder = _create_folder(request, plan, begin)
        supplies = Supplies(
            material=material,
            environment=make_environments(request.store, installer).use,
            results=ResultStore(request.store, say, fresh=request.options.fresh, rerun=request.options.rerun),
            folder=folder,
        )
        swept = await sweep(plan, supplies, request.options, notify)
    seconds = {**swept.seconds, "total": round(time.monotonic() - begun, 3)}
    return assemble(plan, swept.results, reused=swept.reused, seconds=seconds), folder.path


def _create_folder(request: Request, plan: Plan, begin: Callable[[Path], None]) -> RunFolder:
    try:
        folder = RunFolder.create(request.reports / "runs", plan)
        begin(folder.path)
    except OSError as error:
        raise MachineError(
            f"the run cannot be written: {describe_os_error(error)}; name another folder with --reports"
        ) from error
    return folder


def find_golden(named: Path | None) -> Path | None:
    """The golden embeddings that were named, else those that come with the harness, if there are any.

    Raises:
        UsageError: what was named is not there.
    """
    golden = named or shipped_golden()
    if named is not None and input_fault(golden, "folder") and (fault := input_fault(golden, "file")):
        raise UsageError(f"--golden {fault}" + ("" if exists(golden) else " or folder"))
    return golden.absolute() if exists(golden) else None
