"""The command ``gate``: may this upgrade be merged?"""

from __future__ import annotations

from typing import Unpack

import click

from harness.cli.options import matrix_option
from harness.cli.running import (
    Running,
    culprit_budget_option,
    parse_budget,
    parse_culprit_budget,
    running_options,
)
from harness.cli.screen import Screen
from harness.cli.upgrading import judge_upgrade
from harness.errors import ExitCode, UsageError
from harness.gate.prepare import Terms
from harness.judge.verdict import exit_code
from harness.plan.candidate import Wish, parse_changes


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


COMMANDS = (gate,)
