"""The commands ``sweep``, ``merge`` and ``cells``, which plan and run a matrix."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import click

from harness.cli.earlier import make_renderer, open_runs, record_finished, show_note
from harness.cli.help import VERDICT, Command
from harness.cli.options import (
    Running,
    cells_options,
    describe_command,
    make_request,
    matrix_option,
    max_cells_option,
    parse_executor,
    parse_shard,
    reports_option,
    running_options,
    shard_options,
    verbose_option,
)
from harness.cli.screen import Screen, fit
from harness.errors import UsageError
from harness.judge.verdict import exit_code
from harness.matrix.schema import MAX_ROUNDS
from harness.records import Earlier, Plan, Run, describe_machine
from harness.report.console import render_cells_json
from harness.report.escape import disarm_commands
from harness.resolve.pip_settings import read_pip_settings
from harness.runs.find import read_durations
from harness.runs.folder import RESULTS, read_stored
from harness.runs.merging import Part, merge_shards, read_shards, write_merged
from harness.store.store import Store
from harness.sweep import run_sweep
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.shards import count_shards, measure_durations


@click.command(
    cls=Command,
    examples=("--matrix smoke", "--only 'numpy-2*' --no-latency", "--executor 'dask://local?workers=4'"),
    codes=VERDICT,
)
@matrix_option
@cells_options
@click.option("--latency/--no-latency", default=True, help="Measure latency.  [default: latency]")
@click.option(
    "--rounds",
    type=click.IntRange(1, MAX_ROUNDS),
    metavar="NUMBER",
    help="Latency rounds.  [default: of the matrix]",
)
@shard_options
@click.option(
    "--executor",
    metavar="ADDRESS",
    help="Run cells on a cluster: dask://HOST:8786, tls://HOST:8786 or dask://local?workers=4.",
)
@verbose_option
@running_options
def sweep(  # noqa: PLR0913 - one parameter an option
    *,
    matrix: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    latency: bool,
    rounds: int | None,
    shard: str | None,
    durations: str | None,
    executor: str | None,
    verbose: bool,
    plain: bool,
    **running: Unpack[Running],
) -> int:
    """Run every cell of a matrix and judge the results.

    Several machines share a matrix by `--shard 1/8` to `--shard 8/8`; `harness merge` joins their runs.

    `--executor dask://HOST:8786` runs the cells on the workers of a dask.distributed cluster, each with this
    version of the harness and its extra `cluster`; `dask://local?workers=4` starts one on this machine.
    Certificates come from dask's configuration. A worker fills a store of its own (HARNESS_STORE in its
    environment), and runs as many cells at once as it has threads. With `?class=NAME` only workers with this
    resource or machine class count. A sweep waits five minutes for a worker, or `?wait=10m`; cells without
    one are missing, and the exit code is 4. What is finished is kept: the same command continues.
    """
    found = run_sweep.open_matrix(matrix, rounds=rounds, max_cells=running["max_cells"])
    request = make_request(found, running, command=describe_command(matrix), latency=latency)
    request = replace(request, only=only, skip=skip)
    request = add_shard(request, shard, durations)
    request = replace(request, cluster=parse_executor(executor))
    if request.cluster is not None and running["jobs"] is not None:
        raise UsageError(
            "--jobs is for this machine; a worker of a cluster runs as many cells as it has threads"
        )
    screen = Screen(plain=plain)
    run, earlier = run_interruptibly(_sweep(request, screen, make_renderer(running["reports"])))
    folder = running["reports"] / "runs" / run.plan.run
    screen.show(run, folder, earlier, verbose=verbose)
    record_finished(folder, running["reports"])
    return exit_code(run.judgement.verdict)


async def _sweep(request: run_sweep.Request, screen: Screen, render: run_sweep.Render) -> tuple[Run, Earlier]:
    screen.wait("the settings of pip")
    settings = await read_pip_settings()
    async with run_sweep.open_executor(request, screen.notify) as executor:
        request = await run_sweep.isolate(request, screen.notify, executor)
        screen.wait("the plan")
        plan = await run_sweep.make_plan(request, settings, screen.notify, executor)
        usual = read_durations(request.reports, [planned.cell.id for planned in plan.cells])
        with screen.board(plan, usual, executor.jobs or request.options.jobs):
            return await run_sweep.run_plan(request, plan, settings, screen.notify, render, executor)


def add_shard(request: run_sweep.Request, shard: str | None, named: str | None) -> run_sweep.Request:
    """Ask for a shard, balanced by the named run or else by the published sweep, which all machines have.

    Raises:
        UsageError: the shard is none, there is no such run, it has no durations, or nothing is to balance.
    """
    if shard is None and named is not None:
        raise UsageError("--durations balances shards; name one of them with --shard 1/8")
    published = request.reports / request.matrix.name / RESULTS[-1]
    durations: Mapping[str, float] = {}
    if named is not None:
        stored = read_stored(open_runs(request.reports).find_stored(named))
        if not (durations := measure_durations(stored.results)):
            raise UsageError(f"--durations {named}: no cell of this run has a duration; name another run")
    elif shard is not None and published.is_file():
        with contextlib.suppress(UsageError):  # of another version: the same on all machines
            durations = measure_durations(read_stored(published).results)
    return replace(request, shard=parse_shard(shard), durations=durations)


@click.command(cls=Command, examples=("downloaded-shards",), codes=VERDICT)
@click.argument("folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@verbose_option
@reports_option
def merge(*, folders: tuple[Path, ...], verbose: bool, reports: Path) -> int:
    """Merge the shards of a sweep into one run, and judge it like a whole.

    A DIR is the folder of a shard that `harness sweep --shard 2/8` wrote, or holds such folders. Exit 4 if
    one is missing.
    """
    parts = read_shards(folders)
    for part in parts:
        _describe_part(part)
    merged = merge_shards(parts)
    for note in merged.notes:
        show_note(note)
    run, folder = merged.run, write_merged(merged, reports / "runs")
    earlier = make_renderer(reports)(run, folder.path)
    folder.finish()
    Screen(plain=True).show(run, folder.path, earlier, verbose=verbose)
    record_finished(folder.path, reports)
    return exit_code(run.judgement.verdict)


def _describe_part(part: Part) -> None:
    cells = f"{len(part.stored.results)} of {len(part.plan.cells)} cells"
    text = f"shard {part.name}: {cells}, {describe_machine(part.plan.machine)}"
    click.echo(fit(disarm_commands(text), sys.stdout))
    for problem in part.stored.problems:
        show_note(problem)


@click.command(cls=Command, examples=("--matrix compat",))
@matrix_option
@cells_options
@shard_options
@max_cells_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--count-shards",
    "most",
    type=click.IntRange(1),
    metavar="MOST",
    help="Print only how many shards, at most MOST, have more to run than the baseline.",
)
@reports_option
def cells(  # noqa: PLR0913 - one parameter an option
    *,
    matrix: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    shard: str | None,
    durations: str | None,
    max_cells: int,
    as_json: bool,
    most: int | None,
    reports: Path,
) -> None:
    """Show the cells of a matrix and their locks, without running them."""
    if most is not None and (shard or as_json):
        raise UsageError("--count-shards counts the shards of the whole; leave out --shard and --json")
    request = run_sweep.Request(
        matrix=run_sweep.open_matrix(matrix, max_cells=max_cells),
        store=Store.default(),
        reports=reports,
        only=only,
        skip=skip,
    )
    request = add_shard(request, shard, durations)

    async def plan() -> Plan:
        screen = Screen(plain=True, aside=True)
        return await run_sweep.make_plan(request, await read_pip_settings(), screen.notify)

    found = run_interruptibly(plan())
    if most is not None:
        click.echo(count_shards(found, most))
        return
    if as_json:
        click.echo(render_cells_json(found), nl=False)
        return
    screen = Screen(plain=True)
    click.echo(screen.render_plan(found) + screen.render_coverage(found), nl=False)


@click.command("perf", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def measure(*, arguments: tuple[str, ...]) -> None:
    """Refer to the nox session that replaced this command."""
    raise UsageError(f"harness perf: use `nox -s perf -- {shlex.join(arguments)}` in a checkout instead")


COMMANDS = (sweep, merge, cells, measure)
