"""The commands ``gate`` and ``bisect``: may this upgrade be merged, and which release broke it?"""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Unpack

import click

from harness.cli.earlier import remember
from harness.cli.options import (
    Running,
    culprit_budget_option,
    describe_gate_command,
    make_request,
    matrix_option,
    parse_budget,
    parse_culprit_budget,
    running_options,
)
from harness.cli.rendering import render_gate
from harness.cli.screen import Screen
from harness.errors import ExitCode, InterruptedGateError, UsageError
from harness.gate.prepare import Terms, prepare_gate
from harness.gate.request import UpgradeRequest, parse_changes
from harness.gate.stages import run_gate
from harness.judge.verdict import exit_code
from harness.records import Gate, Progress
from harness.redaction import redact
from harness.resolve.pip_settings import read_pip_settings
from harness.runs.folder import GATE_FILE
from harness.sweep import stages
from harness.sweep.interrupt import run_interruptibly

# Judging an upgrade from the command line, for ``gate`` and for ``bisect``.


def judge_upgrade(wish: UpgradeRequest, matrix: str, terms: Terms, running: Running, screen: Screen) -> Gate:
    """Run a gate, show it, and take it into the history.

    Raises:
        InterruptedGateError: a signal ended it; with how to go on.
        HarnessError: as the stages.
    """
    found = stages.open_matrix(matrix, max_cells=running["max_cells"])
    request = make_request(found, running, command=describe_gate_command(), latency=False)
    arguments = _describe_arguments(wish, matrix, running, terms)
    judged, folder = run_interruptibly(_judge(request, wish, arguments, terms, screen))
    screen.show_gate(judged, folder)
    remember(folder, running["reports"])
    return judged


async def _judge(
    request: stages.Request, wish: UpgradeRequest, arguments: tuple[str, ...], terms: Terms, screen: Screen
) -> tuple[Gate, Path]:
    settings = await read_pip_settings()
    prepared = await prepare_gate(request, wish, arguments, settings, screen.notify, terms=terms)
    if prepared.runs_nothing:
        return await run_gate(prepared, request, settings, screen.notify, render_gate)
    try:
        with screen.board(prepared.plan):
            return await run_gate(prepared, request, settings, screen.notify, render_gate)
    except asyncio.CancelledError:
        folder = request.reports / "runs" / prepared.plan.run
        raise InterruptedGateError(_describe_interrupted(folder, latency=bool(prepared.quantities))) from None


def _describe_interrupted(folder: Path, *, latency: bool) -> str:
    """What is kept of a gate that was cut off, and how to go on."""
    kept = "interrupted; what finished of the suite is kept, and the same command carries on from there"
    anew = ", but measures latency anew" if latency else ""
    if not (folder / GATE_FILE).exists():
        return f"{kept}{anew}"
    return f"{kept}{anew}; `harness report {shlex.quote(str(folder))}` decides from what is there"


def _describe_arguments(wish: UpgradeRequest, matrix: str, running: Running, terms: Terms) -> tuple[str, ...]:
    """What has to be typed to ask the same again: all that the verdict depends on, without credentials."""
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
    words = (
        *wish.changes,
        *(word for option, value in named if value is not None for word in (option, value)),
        *(flag for flag, is_set in flags.items() if is_set),
    )
    return tuple(map(redact, words))


# The command ``gate``: may this upgrade be merged?


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
    wish = UpgradeRequest(changes=changes, from_file=from_file, to_file=to_file, allow_equal=allow_equal)
    parse_changes(wish)  # before anything is read
    if no_latency and (quantities or budget):
        raise UsageError("--no-latency judges correctness alone; leave out --quantities and --budget")
    if no_culprit and culprit_budget:
        raise UsageError("--no-culprit looks for nobody; leave out --culprit-budget")
    terms = Terms(
        latency=not no_latency,
        culprit=not no_culprit,
        accept_known=accept_known,
        budget=None if budget is None else parse_budget(budget),
        quantities=quantities,
        culprit_budget=parse_culprit_budget(culprit_budget),
    )
    judged = judge_upgrade(wish, matrix, terms, running, Screen(plain=plain))
    allowed = allow_inconclusive and judged.decision.verdict == "inconclusive"
    return ExitCode.PASS if allowed else exit_code(judged.decision.verdict)


@click.command()
@click.argument("package", metavar="NAME[SPECIFIER]")
@click.option("--from", "from_file", metavar="FILE", help="The baseline.  [default: of the matrix]")
@matrix_option
@click.option("--quantities", multiple=True, metavar="GLOB", help="Latency and memory that match, too.")
@click.option("--budget", metavar="TIME", help="For these: 10m, 90s.  [default: of the matrix]")
@click.option("--accept-known", is_flag=True, help="Known divergences are not looked for.")
@culprit_budget_option
@running_options
def bisect(  # noqa: PLR0913 - one parameter an option
    *,
    package: str,
    from_file: str | None,
    matrix: str,
    quantities: tuple[str, ...],
    budget: str | None,
    accept_known: bool,
    culprit_budget: str | None,
    plain: bool,
    **running: Unpack[Running],
) -> int:
    """Find the first bad release of a package: `harness bisect numpy`, `harness bisect 'numpy<2.3'`.

    The baseline is compared with the newest release that goes with it (or the newest that the specifier
    allows). Where that is red, releases in between are tried, only with what failed; packages that have to
    move along are told. Exit 0: there is nothing to find. Exit 1: found, or at least narrowed down.
    """
    wish = UpgradeRequest(
        changes=(package,), from_file=from_file, allow_equal=True
    )  # there may be nothing newer
    parse_changes(wish)  # before anything is read
    if budget is not None and not quantities:
        raise UsageError("--budget is that of --quantities; say which")
    terms = Terms(
        latency=bool(quantities),
        accept_known=accept_known,
        budget=None if budget is None else parse_budget(budget),
        quantities=quantities,
        culprit_budget=parse_culprit_budget(culprit_budget),
    )
    screen = Screen(plain=plain)
    judged = judge_upgrade(wish, matrix, terms, running, screen)
    if judged.decision.verdict == "pass":
        screen.notify(Progress(cell="", stage="note", note=f"nothing to find: {_describe_compared(judged)}"))
    return exit_code(judged.decision.verdict)


def _describe_compared(judged: Gate) -> str:
    changes = judged.question.diff.changes
    if not changes:
        return "the baseline has the newest release that goes with it already"
    asked = [f"{change.name} {change.after}" for change in changes if change.asked]
    return f"{' '.join(asked) or judged.question.candidate} holds"


COMMANDS = (gate, bisect)
