"""Commands that plan and run: ``sweep``, ``cells``, ``perf``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Unpack

import click

from harness import committed, perf, pipeline
from harness.cli.options import cells_options, matrix_option, max_cells_option, say_command
from harness.cli.remembering import recall_in, remember
from harness.cli.running import Running, make_request, running_options
from harness.cli.screen import Screen
from harness.errors import ExitCode
from harness.history_records import Earlier
from harness.judge.verdict import exit_code
from harness.plan.cells import cells_of, select
from harness.plan.pip_settings import read_pip_settings
from harness.plan.schema import MAX_ROUNDS
from harness.records import Plan, Run
from harness.report.cells import render_cells_json
from harness.run.interrupt import run_interruptibly
from harness.run.options import count_cores
from harness.run.store import Store


@click.command()
@matrix_option
@cells_options
@click.option("--latency/--no-latency", default=True, help="Measure latency.  [default: latency]")
@click.option("--rounds", type=click.IntRange(1, MAX_ROUNDS), help="Latency rounds, instead of the matrix's.")
@running_options
def sweep(  # noqa: PLR0913 - one parameter an option
    *,
    matrix: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    latency: bool,
    rounds: int | None,
    plain: bool,
    **running: Unpack[Running],
) -> int:
    """Run every cell of a matrix and judge what comes out."""
    found = pipeline.open_matrix(matrix, rounds=rounds, max_cells=running["max_cells"])
    request = make_request(found, running, command=say_command(matrix), latency=latency)
    request = replace(request, only=only, skip=skip)
    screen = Screen(plain=plain)
    run, earlier = run_interruptibly(_sweep(request, screen, recall_in(running["reports"])))
    folder = running["reports"] / "runs" / run.plan.run
    screen.show(run, folder, earlier)
    remember(folder, running["reports"])
    return exit_code(run.judgement.verdict)


async def _sweep(request: pipeline.Request, screen: Screen, recall: pipeline.Recall) -> tuple[Run, Earlier]:
    settings = await read_pip_settings()
    plan = await pipeline.make_plan(request, settings, screen.notify)
    with screen.board(plan):
        return await pipeline.run_plan(request, plan, settings, screen.notify, recall)


@click.command()
@matrix_option
@cells_options
@max_cells_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def cells(
    *, matrix: str, only: tuple[str, ...], skip: tuple[str, ...], max_cells: int, as_json: bool
) -> None:
    """Show the cells of a matrix and their locks; run nothing."""
    request = pipeline.Request(
        matrix=pipeline.open_matrix(matrix, max_cells=max_cells),
        store=Store.default(),
        reports=Path(),
        only=only,
        skip=skip,
    )

    async def plan() -> Plan:
        return await pipeline.make_plan(request, await read_pip_settings(), lambda _: None)

    found = run_interruptibly(plan())
    click.echo(render_cells_json(found) if as_json else Screen(plain=True).render_plan(found), nl=False)


@click.command("perf")
@matrix_option
@click.option(
    "--only", metavar="GLOB", help="Measure the first cell whose id matches.  [default: the baseline]"
)
@click.option("--rounds", type=click.IntRange(1, 1000), default=3, show_default=True)
@click.option(
    "--plain-rounds", type=click.IntRange(0, 1000), default=1, show_default=True, help="Of the plain way."
)
@click.option("--whole", is_flag=True, help="The whole sweep too, measured anew and with nothing changed.")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Leave store and runs in this folder."
)
def measure(  # noqa: PLR0913 - one parameter an option
    *, matrix: str, only: str | None, rounds: int, plain_rounds: int, whole: bool, keep: Path | None
) -> int:
    """Show what the harness costs, the plain way beside it."""
    found = pipeline.open_matrix(matrix)
    measured = select(cells_of(found), (only or committed.baseline_of(found),))[0]
    with perf.open_scratch(keep) as scratch:
        bench = perf.Bench(
            matrix=str(found.path),
            cell=measured.id,
            several=tuple(each.id for each in cells_of(found) if not each.source)[: 2 * count_cores()],
            scratch=scratch,
            say=lambda text: click.echo(f"{text} ...", err=True),
        )
        costs = run_interruptibly(perf.measure(bench, rounds=rounds, plain_rounds=plain_rounds, whole=whole))
    click.echo(perf.render_costs(costs))
    return ExitCode.ERROR if costs.failures else ExitCode.PASS


COMMANDS = (sweep, cells, measure)
