"""The command ``bisect``: since which release of a package does it not hold any more?"""

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
from harness.errors import UsageError
from harness.gate.prepare import Terms
from harness.gate_records import Gate
from harness.judge.verdict import exit_code
from harness.plan.candidate import Wish, parse_changes
from harness.records import Progress


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
    wish = Wish(changes=(package,), from_file=from_file, allow_equal=True)  # there may be nothing newer
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
        screen.notify(Progress(cell="", stage="note", note=f"nothing to find: {_say_compared(judged)}"))
    return exit_code(judged.decision.verdict)


def _say_compared(judged: Gate) -> str:
    changes = judged.question.diff.changes
    if not changes:
        return "the baseline has the newest release that goes with it already"
    asked = [f"{change.name} {change.after}" for change in changes if change.asked]
    return f"{' '.join(asked) or judged.question.candidate} holds"


COMMANDS = (bisect,)
