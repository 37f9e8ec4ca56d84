"""The command ``gate``: may this upgrade be merged?"""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Unpack

import click

from harness import pipeline
from harness.cli.options import matrix_option, say_gate_command
from harness.cli.remembering import remember
from harness.cli.running import (
    Running,
    culprit_budget_option,
    make_request,
    parse_budget,
    parse_culprit_budget,
    running_options,
)
from harness.cli.screen import Screen
from harness.errors import ExitCode, InterruptedGateError, UsageError
from harness.gate import stages
from harness.gate_records import Gate
from harness.judge.verdict import exit_code
from harness.plan.candidate import Wish, parse_changes
from harness.plan.pip_settings import read_pip_settings
from harness.run.folder import GATE_FILE
from harness.run.interrupt import run_interruptibly


@click.command()
@click.argument("changes", nargs=-1, metavar="[CHANGE]...")
@click.option("--from", "from_file", metavar="FILE", help="The baseline.  [default: of the matrix]")
@click.option("--to", "to_file", metavar="FILE", help="The candidate, instead of changes.")
@matrix_option
@click.option("--no-latency", is_flag=True, help="Judge correctness alone.")
@click.option("--quantities", multiple=True, metavar="GLOB", help="Of latency and memory, only what matches.")
@click.option("--budget", metavar="TIME", help="For latency and memory: 10m, 90s.  [default: of the matrix]")
@click.option(
    "--accept-known",
    is_flag=True,
    help="A known divergence, or a check that no longer runs, does not fail it.",
)
@click.option("--no-culprit", is_flag=True, help="Do not look for the package to blame.")
@culprit_budget_option
@click.option("--allow-equal", is_flag=True, help="Pass where both environments are the same.")
@click.option("--allow-inconclusive", is_flag=True, help="Exit 0 where nothing can be said (4).")
@running_options
def gate(  # noqa: PLR0913 - one parameter an option
    *,
    changes: tuple[str, ...],
    from_file: str | None,
    to_file: str | None,
    matrix: str,
    no_latency: bool,
    quantities: tuple[str, ...],
    budget: str | None,
    accept_known: bool,
    no_culprit: bool,
    culprit_budget: str | None,
    allow_equal: bool,
    allow_inconclusive: bool,
    plain: bool,
    **running: Unpack[Running],
) -> int:
    """Judge an upgrade before it is merged: what does it break, and what does it slow down?

    A CHANGE is a requirement such as numpy==2.4.6. A FILE is a requirements file, the output of pip freeze,
    a uv.lock or a pylock.toml, or one of a git revision (main:requirements.txt). Correctness comes first;
    then the latency and the memory of what is served are measured until each is decided, or the budget is
    spent (which leaves the gate inconclusive).
    """
    wish = Wish(changes=changes, from_file=from_file, to_file=to_file, allow_equal=allow_equal)
    parse_changes(wish)  # before anything is read
    if no_latency and (quantities or budget):
        raise UsageError("--no-latency judges correctness alone; leave out --quantities and --budget")
    if no_culprit and culprit_budget:
        raise UsageError("--no-culprit looks for nobody; leave out --culprit-budget")
    terms = stages.Terms(
        latency=not no_latency,
        culprit=not no_culprit,
        accept_known=accept_known,
        budget=None if budget is None else parse_budget(budget),
        quantities=quantities,
        culprit_budget=parse_culprit_budget(culprit_budget),
    )
    request = make_request(pipeline.open_matrix(matrix), running, command=say_gate_command(), latency=False)
    screen = Screen(plain=plain)
    arguments = say_arguments(wish, matrix, running, terms)
    judged, folder = run_interruptibly(judge_upgrade(request, wish, arguments, terms, screen))
    screen.show_gate(judged, folder)
    remember(folder, running["reports"])
    allowed = allow_inconclusive and judged.decision.verdict == "inconclusive"
    return ExitCode.PASS if allowed else exit_code(judged.decision.verdict)


async def judge_upgrade(
    request: pipeline.Request, wish: Wish, arguments: tuple[str, ...], terms: stages.Terms, screen: Screen
) -> tuple[Gate, Path]:
    """Prepare a gate and run it, on a screen.

    Raises:
        InterruptedGateError: a signal ended it; with how to go on.
        HarnessError: as the stages.
    """
    settings = await read_pip_settings()
    prepared = await stages.prepare_gate(request, wish, arguments, settings, screen.notify, terms=terms)
    if prepared.runs_nothing:
        return await stages.run_gate(prepared, request, settings, screen.notify)
    try:
        with screen.board(prepared.plan):
            return await stages.run_gate(prepared, request, settings, screen.notify)
    except asyncio.CancelledError:
        folder = request.reports / "runs" / prepared.plan.run
        raise InterruptedGateError(say_interrupted(folder, latency=bool(prepared.quantities))) from None


def say_interrupted(folder: Path, *, latency: bool) -> str:
    """What is kept of a gate that was cut off, and how to go on."""
    kept = "interrupted; what finished of the suite is kept, and the same command carries on from there"
    anew = ", but measures latency anew" if latency else ""
    if not (folder / GATE_FILE).exists():
        return f"{kept}{anew}"
    return f"{kept}{anew}; `harness report {shlex.quote(str(folder))}` decides from what is there"


def say_arguments(wish: Wish, matrix: str, running: Running, terms: stages.Terms) -> tuple[str, ...]:
    """What has to be typed to ask the same again: all that the verdict depends on."""
    named = [
        ("--from", wish.from_file),
        ("--to", wish.to_file),
        ("--matrix", matrix if matrix != "compat" else None),
        *(("--checks", glob) for glob in running["checks"]),
        *(("--quantities", glob) for glob in terms.quantities),
        ("--budget", None if terms.budget is None else f"{terms.budget:g}s"),
        ("--golden", None if running["golden"] is None else str(running["golden"])),
    ]
    flags = {
        "--no-latency": not terms.latency,
        "--accept-known": terms.accept_known,
        "--allow-equal": wish.allow_equal,
    }
    return (
        *wish.changes,
        *(word for option, value in named if value is not None for word in (option, value)),
        *(flag for flag, is_set in flags.items() if is_set),
    )


COMMANDS = (gate,)
