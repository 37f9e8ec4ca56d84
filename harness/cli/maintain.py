"""The commands ``lock``, ``report``, ``publish``, ``golden``, ``canary``, ``clean`` and ``schema``."""

from __future__ import annotations

import webbrowser
from collections import Counter
from pathlib import Path
from typing import get_args

import click

from harness.cli.earlier import make_renderer, open_runs, record_finished
from harness.cli.help import DONE, VERDICT, Command
from harness.cli.options import (
    matrix_option,
    max_cells_option,
    names_runs,
    open_store,
    parse_size,
    reports_option,
    store_option,
    verbose_option,
)
from harness.cli.publishing import make_golden, write_canary
from harness.cli.publishing import publish as publish_sweep
from harness.cli.rendering import find_page, render_gate
from harness.cli.screen import Screen
from harness.cli.waiting import find_waiting
from harness.errors import ExitCode, UsageError
from harness.gate.run_gate import decide_again, find_problems, is_gate
from harness.judge.verdict import exit_code
from harness.matrix.cells import cells_of
from harness.matrix.expand import ArrayError
from harness.matrix.read import MATRICES, find_matrix, matrix_files, read_matrix
from harness.matrix.schema import Matrix
from harness.records import Notify
from harness.report.escape import disarm_commands
from harness.resolve.indexes import check_indexes
from harness.resolve.locks import ChangeKind, check_locks, check_locks_by_resolving, lock_matrix
from harness.resolve.pip_settings import IndexSettings, read_pip_settings
from harness.runs.documents import render_gate_schema, render_schema
from harness.runs.folder import LATEST, UNFINISHED, judge_again, write_results
from harness.store.clean import clean_store
from harness.sweep import run_sweep
from harness.sweep.interrupt import run_interruptibly


@click.command(
    cls=Command, examples=("", "--check --matrix compat"), codes={**DONE, 1: "with --check: a lock is stale"}
)
@click.option(
    "--matrix", "names", multiple=True, metavar="NAME|FILE", help="The matrix.  [default: all in matrices/]"
)
@click.option("--check", is_flag=True, help="List stale locks (exit code 1), offline, without changes.")
@max_cells_option
@click.option(
    "--resolve", is_flag=True, help="With --check: resolve again, also what has no solution, and compare."
)
def lock(*, names: tuple[str, ...], check: bool, max_cells: int, resolve: bool) -> int:
    """Resolve every cell and write the locks, or check the locks."""
    if resolve and not check:
        raise UsageError("--resolve requires --check; `harness lock` alone resolves and writes")
    try:
        matrices = [read_matrix(path, max_cells=max_cells, array=check) for path in find_matrices(names)]
    except ArrayError as error:
        return _describe_findings([str(error)])
    if check and not resolve:
        return _describe_findings([found.message for matrix in matrices for found in check_locks(matrix)])

    screen = Screen(plain=True, aside=True)

    async def work() -> int:
        screen.wait("the package indexes")
        settings = await check_indexes(await read_pip_settings(), cells_of(matrices[0]))  # once for all
        if check:
            checked = [
                await check_locks_by_resolving(matrix, settings, notify=screen.notify) for matrix in matrices
            ]
            return _describe_findings([found.message for findings in checked for found in findings])
        for matrix in matrices:
            await write_locks(matrix, settings, screen.notify)
        return ExitCode.PASS

    return run_interruptibly(work())


def find_matrices(names: tuple[str, ...]) -> list[Path]:
    """The files of the named matrices, by default of all in ``matrices``.

    Raises:
        UsageError: there is none.
    """
    found = [find_matrix(name, Path.cwd()) for name in names] or list(matrix_files(MATRICES))
    if not found:
        raise UsageError(f"{MATRICES.absolute()}: no matrix there; name one with --matrix FILE")
    return found


def _describe_findings(messages: list[str]) -> int:
    for message in messages:
        click.echo(message)
    faults = "1 fault" if len(messages) == 1 else f"{len(messages)} faults"
    click.echo(faults if messages else "every lock agrees with its matrix")
    return ExitCode.REGRESSED if messages else ExitCode.PASS


async def write_locks(matrix: Matrix, settings: IndexSettings, notify: Notify, *, keep: bool = False) -> None:
    """Lock a matrix and list what changed; ``keep`` leaves locks that belong to their cells."""
    changes = await lock_matrix(matrix, settings, notify=notify, keep=keep)
    locks = [change for change in changes if change.path.suffix == ".txt"]  # and not a covering array
    counts = Counter(change.kind for change in locks)
    for change in changes:
        if change.kind != "unchanged":
            click.echo(f"{change.kind} {change.path.name}: {change.note or 'locked'}")
    kinds: tuple[ChangeKind, ...] = get_args(ChangeKind)
    totals = ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
    click.echo(f"{matrix.name}: {len(locks)} locks, {totals}")


@click.command(cls=Command, examples=("", "latest --open"), codes=VERDICT)
@click.argument("run", default=LATEST, metavar="[RUN]")
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@verbose_option
@names_runs
@reports_option
def report(*, run: str, show: bool, verbose: bool, reports: Path) -> int:
    """Judge and render a run again.

    The default is `latest`.
    """
    folder = open_runs(reports).find_folder(run)
    code = show_again(folder, reports, verbose=verbose)
    if show:
        webbrowser.open(find_page(folder).as_uri())
    return code


def show_again(folder: Path, reports: Path, *, verbose: bool = False) -> int:
    """Judge, render and show the run in a folder again; returns the exit code of its verdict."""
    find_waiting().begin("the results of the run, which are judged again")
    if is_gate(folder):
        problems = find_problems(folder)
        gate = decide_again(folder, render_gate)
        for problem in problems:
            click.echo(disarm_commands(f"note: {problem}"))
        Screen(plain=True).show_gate(gate, folder)
        _record_again(folder, reports)
        return exit_code(gate.decision.verdict)
    judged, stored = judge_again(folder)
    write_results(judged, folder)
    earlier = make_renderer(reports)(judged, folder)
    for problem in stored.problems:
        click.echo(disarm_commands(f"note: {problem}"))
    Screen(plain=True).show(judged, folder, earlier, verbose=verbose)
    _record_again(folder, reports)
    return exit_code(judged.judgement.verdict)


def _record_again(folder: Path, reports: Path) -> None:
    """Record the new judgement of a run that belongs to this history."""
    if folder.parent == (reports / "runs").resolve() and not (folder / UNFINISHED).exists():
        record_finished(folder, reports)


@click.command(cls=Command, examples=("", "latest"))
@click.argument("run", default=LATEST, metavar="[RUN]")
@names_runs
@reports_option
def publish(*, run: str, reports: Path) -> None:
    """Copy a finished run to where it is committed.

    It goes to reports/<matrix>/. A gate is refused: here `latest`, the default, is the newest complete sweep.
    """
    for path in publish_sweep(open_runs(reports).find_folder(run, "sweep"), reports):
        click.echo(path)


@click.command(cls=Command, examples=("--matrix compat",))
@matrix_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports/golden"),
    show_default=True,
    help="The folder to write to.",
)
@store_option
def golden(*, matrix: str, out: Path, store: Path | None) -> None:
    """Compute the golden embeddings again.

    They are the embeddings of the corpus by the reference of the baseline cell.
    """
    request = run_sweep.Request(matrix=run_sweep.open_matrix(matrix), store=open_store(store), reports=Path())

    async def make() -> Path:
        return await make_golden(request, await read_pip_settings(), out)

    find_waiting().begin("the embeddings of the reference")
    click.echo(run_interruptibly(make()))


@click.command(cls=Command, examples=("service/canary", "service/canary latest"))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.argument("run", default=LATEST, metavar="[RUN]")
@click.option("--cell", default="", metavar="ID", help="The cell.  [default: the baseline]")
@names_runs
@reports_option
def canary(*, out: Path, run: str, cell: str, reports: Path) -> None:
    """Write a few texts with their vectors, by which a service checks itself at its start.

    Two files go to the folder OUT: canary.json, with the vectors that the service returned in a cell of a
    run, and check_canary.py, to copy beside the service. The default run is `latest`.
    """
    for path in write_canary(open_runs(reports).find_folder(run), out, cell):
        click.echo(path)


@click.command(cls=Command, examples=("--max-size 20GiB",))
@click.option(
    "--max-size", metavar="SIZE", help="Keep at most this size, such as 20GiB; the oldest go first."
)
@store_option
def clean(*, max_size: str | None, store: Path | None) -> None:
    """Empty the store, or reduce its size.

    The store holds environments, models and finished cells. Entries that a running sweep uses, and files
    that the harness did not make, are kept.
    """
    found = open_store(store)
    limit = None if max_size is None else parse_size(max_size)
    find_waiting().begin("other processes that use the store")
    removed = run_interruptibly(clean_store(found, limit))
    click.echo(f"removed {removed.entries} entries, {removed.freed / 1024**2:.0f} MiB, from {found.root}")


@click.command(cls=Command, examples=("", "--gate"))
@click.option("--gate", "of_gate", is_flag=True, help="Print the schema of gate.json instead.")
def schema(*, of_gate: bool) -> None:
    """Print the JSON schema of results.json."""
    click.echo(render_gate_schema() if of_gate else render_schema(), nl=False)


COMMANDS = (lock, report, publish, golden, canary, clean, schema)
