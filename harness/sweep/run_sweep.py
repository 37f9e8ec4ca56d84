"""The stages of a sweep in their order: matrix, plan, locks, environments, cells, judgement."""

from __future__ import annotations

import difflib
import fnmatch
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from harness.cell.interface import select_cases
from harness.errors import MachineError, UsageError
from harness.files import describe_os_error
from harness.held import mark
from harness.input_files import exists, input_fault
from harness.isolation import NONE, Isolation, Level, find_isolation
from harness.matrix.corpus_file import check_corpus
from harness.matrix.expand import MAX_CELLS
from harness.matrix.expected import borrowed_for, expectations_for, tolerances_of
from harness.matrix.read import find_matrix, read_matrix, shipped_golden
from harness.matrix.schema import Matrix
from harness.matrix.subject_code import check_subject
from harness.records import Earlier, Notify, Plan, PlannedCell, Progress, Run
from harness.resolve.pip_settings import IndexSettings
from harness.resolve.revisions import read_revision
from harness.runs.folder import UNFINISHED, RunFolder, assemble, name_run, write_results
from harness.store.models import make_environments, make_installer, prepare_inputs, refuse_unsupported
from harness.store.result_store import ResultStore
from harness.store.store import Store
from harness.sweep.executors.crew import Address
from harness.sweep.executors.parcel import Source
from harness.sweep.limits import Options
from harness.sweep.machine import read_machine
from harness.sweep.planning import PlanOptions, build_plan
from harness.sweep.schedule import LOCAL, Executor, Supplies, sweep
from harness.sweep.shards import cut_shard


@dataclass(frozen=True)
class Request:
    """The request of the user: matrix, cells by globs over their ids, checks by globs over case ids.

    ``shard`` is the number of a shard and that of all, ``durations`` the seconds by which they are balanced.
    ``cluster`` is where cells run; None: on this machine. ``level`` is the isolation that is asked for,
    ``isolation`` that in force: see ``isolate``.
    """

    matrix: Matrix
    store: Store
    reports: Path
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    shard: tuple[int, int] | None = None
    durations: Mapping[str, float] = field(default_factory=dict)
    golden: Path | None = None
    cluster: Address | None = None
    command: str = "harness sweep"
    python_downloads: bool = False
    level: Level = "none"
    isolation: Isolation = NONE
    options: Options = field(default_factory=Options)


def open_matrix(wanted: str, *, rounds: int | None = None, max_cells: int = MAX_CELLS) -> Matrix:
    """The validated matrix of this name or path; ``rounds`` overrides its number of latency rounds.

    Raises:
        UsageError: the matrix is missing, invalid, or larger than ``max_cells`` cells, or a file that it
            names is invalid.
    """
    matrix = read_matrix(find_matrix(wanted, Path.cwd()), max_cells=max_cells)
    check_files(matrix)
    if rounds is None:
        return matrix
    return msgspec.structs.replace(matrix, latency=msgspec.structs.replace(matrix.latency, rounds=rounds))


def check_files(matrix: Matrix) -> None:
    """Validate what a matrix names besides versions before anything is resolved or downloaded.

    These are its expectations, tolerances, corpus and stored vectors, a local model, and the code under test.

    Raises:
        UsageError: one of them is invalid.
    """
    expectations_for(matrix)
    borrowed_for(matrix)
    tolerances_of(matrix)
    check_corpus(matrix)
    check_stored(matrix)
    check_subject(matrix)
    if matrix.model_path is not None and matrix.model_path.is_dir():
        refuse_unsupported(matrix, matrix.model_path)


def check_stored(matrix: Matrix) -> None:
    """Validate the stored vectors of a matrix as each cell reads them.

    Raises:
        UsageError: the file is invalid, or the matrix names texts that it holds itself.
    """
    if not matrix.stored_paths:
        return
    from harness.cell.stored import StoredError, load_stored  # noqa: PLC0415 # NumPy

    try:
        load_stored(*matrix.stored_paths, normalized=matrix.subject.normalized)
    except StoredError as error:
        raise UsageError(f"{matrix.path}: stored.vectors: {error}") from None


@asynccontextmanager
async def open_executor(request: Request, notify: Notify) -> AsyncIterator[Executor]:
    """Where the cells of a request run: on this machine, or on the workers of its cluster.

    Raises:
        HarnessError: the cluster cannot be used, or has no worker.
    """
    if request.cluster is None:
        yield LOCAL
        return
    from harness.sweep.executors.cluster import open_cluster  # noqa: PLC0415 # an extra, and half a second

    matrix = request.matrix
    source = Source(
        model=matrix.model,
        model_path=None if matrix.model_path is None else str(matrix.model_path),
        python_downloads=request.python_downloads,
    )
    address = replace(request.cluster, level=request.level)
    async with open_cluster(address, request.store, source, request.reports, notify) as executor:
        yield executor


async def isolate(request: Request, notify: Notify, executor: Executor = LOCAL) -> Request:
    """The request with the isolation that is in force for all of its cells, by a trial where they run.

    Raises:
        UsageError: it is to be strict, and the trial failed.
    """
    matrix, network = request.matrix, request.matrix.subject.network
    found = executor.isolation or await find_isolation(
        request.level,
        network=network,
        readable=(matrix.folder, *matrix.search_path, *matrix.reads, request.store.root),
    )
    if found.reason and request.level != "none":
        notify(Progress(cell="", stage="note", note=f"cells are not isolated: {found.reason}"))
    return replace(request, isolation=replace(found, network=network))


async def make_plan(
    request: Request, settings: IndexSettings, notify: Notify, executor: Executor = LOCAL
) -> Plan:
    """The plan of a run; its id consists of the time (UTC), the matrix and a random suffix.

    Raises:
        UsageError: a glob matches nothing, a file of the matrix is invalid, or there are more shards than
            cells.
        MachineError: uv or the network failed.
    """
    find_golden(request.golden)  # report a misspelt path at once
    chosen = PlanOptions(run_id=name_run(request.matrix.name), only=request.only, skip=request.skip)
    machine = read_machine() if executor.machine is None else executor.machine
    plan = await build_plan(request.matrix, settings, chosen, machine=machine, notify=notify)
    plan = msgspec.structs.replace(
        plan,
        command=request.command,
        commit=await read_revision(Path.cwd()),
        isolation=request.isolation.description,
    )
    if not request.options.latency:
        plan = msgspec.structs.replace(plan, scenarios=())  # a plan lists what will be measured
    plan = narrow_checks(plan, request.checks) if request.checks else plan
    return cut_shard(plan, *request.shard, request.durations) if request.shard else plan


def narrow_checks(plan: Plan, globs: Sequence[str]) -> Plan:
    """The plan restricted to the cases that match a glob, and those that these need in any cell.

    The baseline has no case of a comparison with itself, but records the vectors for those of other cells.

    Raises:
        UsageError: a glob matches no case.
    """
    owed = sorted({case for planned in plan.cells for case in planned.cases})
    for glob in globs:
        if owed and not fnmatch.filter(owed, glob):
            near = difflib.get_close_matches(glob, owed, n=3, cutoff=0.3)
            similar = f"; similar: {', '.join(near)}" if near else ""
            raise UsageError(f"--checks {glob!r} matches no check{similar}")
    chosen = {*select_cases(owed, globs)}

    def narrow(planned: PlannedCell) -> PlannedCell:
        return msgspec.structs.replace(planned, cases=tuple(case for case in planned.cases if case in chosen))

    baseline = plan.baseline_cell
    return msgspec.structs.replace(
        plan,
        cells=tuple(map(narrow, plan.cells)),
        baseline_cell=None if baseline is None else narrow(baseline),
        subset=True,
    )


Render = Callable[[Run, Path], Earlier]
"""Renders a judged run into its folder, and returns its comparison with earlier runs."""


async def run_plan(  # noqa: PLR0913, PLR0917 - one parameter an ingredient
    request: Request,
    plan: Plan,
    settings: IndexSettings,
    notify: Notify,
    render: Render,
    executor: Executor = LOCAL,
) -> tuple[Run, Earlier]:
    """Run a plan, judge it, and write all files of the run; also returns the comparison with earlier runs.

    Raises:
        HarnessError: the sweep itself failed; a failing cell gets a status instead.
    """
    run, folder = await measure_plan(request, plan, settings, notify, executor=executor)
    write_results(run, folder)
    earlier = render(run, folder)
    RunFolder(folder).finish()
    return run, earlier


async def measure_plan(  # noqa: PLR0913 - one parameter an ingredient
    request: Request,
    plan: Plan,
    settings: IndexSettings,
    notify: Notify,
    begin: Callable[[Path], None] | None = None,
    *,
    executor: Executor = LOCAL,
) -> tuple[Run, Path]:
    """Run a plan and judge it; plan and results are written to the folder of the run.

    The folder stays marked as unfinished until the caller completes it. ``begin`` is called with the folder
    before any cell runs.

    Raises:
        HarnessError: as ``run_plan``.
    """
    begun = time.monotonic()

    def say(text: str) -> None:
        notify(Progress(cell="", stage="note", note=text))

    installer = make_installer(settings, downloads=request.python_downloads)
    async with AsyncExitStack() as stack:
        inputs = await prepare_inputs(
            request.matrix,
            request.store,
            installer,
            say,
            stack,
            golden=find_golden(request.golden),
            only=request.checks,
            isolation=request.isolation,
        )
        folder = _create_folder(request, plan, begin)
        stack.enter_context(mark(folder.path / UNFINISHED, keep=True))  # as long as cells write their logs
        supplies = Supplies(
            inputs=inputs,
            environment=make_environments(request.store, installer).use,
            results=ResultStore(request.store, say, fresh=request.options.fresh, rerun=request.options.rerun),
            folder=folder,
        )
        swept = await sweep(plan, supplies, request.options, notify, executor)
    seconds = {**swept.seconds, "total": round(time.monotonic() - begun, 3)}
    return assemble(plan, swept.results, reused=swept.reused, seconds=seconds), folder.path


def _create_folder(request: Request, plan: Plan, begin: Callable[[Path], None] | None) -> RunFolder:
    try:
        folder = RunFolder.create(request.reports / "runs", plan)
        if begin is not None:
            begin(folder.path)
    except OSError as error:
        raise MachineError(
            f"the run cannot be written: {describe_os_error(error)}; name another folder with --reports"
        ) from error
    return folder


def find_golden(named: Path | None) -> Path | None:
    """The golden embeddings at a path, else the shipped ones; None if there are none.

    Raises:
        UsageError: the path does not exist.
    """
    golden = named or shipped_golden()
    if named is not None and input_fault(golden, "folder") and (fault := input_fault(golden, "file")):
        raise UsageError(f"--golden {fault}" + ("" if exists(golden) else " or folder"))
    return golden.absolute() if exists(golden) else None
