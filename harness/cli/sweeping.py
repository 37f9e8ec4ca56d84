"""The commands ``sweep`` and ``cells``, which plan and run a matrix."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import click

from harness.cli.earlier import make_renderer, record_finished
from harness.cli.help import VERDICT, Command
from harness.cli.options import (
    Running,
    cells_options,
    describe_command,
    make_request,
    matrix_option,
    max_cells_option,
    running_options,
    verbose_option,
)
from harness.cli.screen import Screen
from harness.errors import UsageError
from harness.judge.verdict import exit_code
from harness.matrix.schema import MAX_ROUNDS
from harness.records import Earlier, Plan, Run
from harness.report.console import render_cells_json
from harness.resolve.pip_settings import read_pip_settings
from harness.runs.find import read_durations
from harness.store.store import Store
from harness.sweep import run_sweep
from harness.sweep.interrupt import run_interruptibly


@click.command(cls=Command, examples=("--matrix smoke", "--only 'numpy-2*' --no-latency"), codes=VERDICT)
@matrix_option
@cells_options
@click.option("--latency/--no-latency", default=True, help="Measure latency.  [default: latency]")
@click.option(
    "--rounds",
    type=click.IntRange(1, MAX_ROUNDS),
    metavar="NUMBER",
    help="Latency rounds.  [default: of the matrix]",
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
    verbose: bool,
    plain: bool,
    **running: Unpack[Running],
) -> int:
    """Run every cell of a matrix and judge the results."""
    found = run_sweep.open_matrix(matrix, rounds=rounds, max_cells=running["max_cells"])
    request = make_request(found, running, command=describe_command(matrix), latency=latency)
    request = replace(request, only=only, skip=skip)
    screen = Screen(plain=plain)
    run, earlier = run_interruptibly(_sweep(request, screen, make_renderer(running["reports"])))
    folder = running["reports"] / "runs" / run.plan.run
    screen.show(run, folder, earlier, verbose=verbose)
    record_finished(folder, running["reports"])
    return exit_code(run.judgement.verdict)


async def _sweep(request: run_sweep.Request, screen: Screen, render: run_sweep.Render) -> tuple[Run, Earlier]:
    screen.wait("the settings of pip")
    settings = await read_pip_settings()
    screen.wait("the plan")
    plan = await run_sweep.make_plan(request, settings, screen.notify)
    usual = read_durations(request.reports, [planned.cell.id for planned in plan.cells])
    with screen.board(plan, usual, request.options.jobs):
        return await run_sweep.run_plan(request, plan, settings, screen.notify, render)


@click.command(cls=Command, examples=("--matrix compat",))
@matrix_option
@cells_options
@max_cells_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cells(
    *, matrix: str, only: tuple[str, ...], skip: tuple[str, ...], max_cells: int, as_json: bool
) -> None:
    """Show the cells of a matrix and their locks, without running them."""
    request = run_sweep.Request(
        matrix=run_sweep.open_matrix(matrix, max_cells=max_cells),
        store=Store.default(),
        reports=Path(),
        only=only,
        skip=skip,
    )

    async def plan() -> Plan:
        screen = Screen(plain=True, aside=True)
        return await run_sweep.make_plan(request, await read_pip_settings(), screen.notify)

    found = run_interruptibly(plan())
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


COMMANDS = (sweep, cells, measure)
