"""The command ``trends``: what latency did over many runs."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from harness.cli.options import reports_option
from harness.cli.remembering import open_history_of, say
from harness.cli.screen import Screen
from harness.report.past.trends_text import render_trends_text
from harness.trends import make_trends


@click.command()
@click.option("--matrix", metavar="NAME", help="Of this matrix.  [default: the one swept last]")
@click.option("--all", "everything", is_flag=True, help="What is steady too.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: every series with all its runs.")
@reports_option
def trends(*, matrix: str | None, everything: bool, as_json: bool, reports: Path) -> None:
    """Show what latency did over the runs of one class of machine.

    Each scenario is held against the newest pinned run (`harness history --pin RUN`), or the first; change
    points are marked, and a slow creep over many small steps is told from one step.
    """
    found = make_trends(open_history_of(reports).path, matrix, say)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
        return
    screen = Screen(plain=True)
    text = render_trends_text(
        found, everything=everything, width=screen.width, color=screen.color, unicode=screen.unicode
    )
    click.echo(text, color=screen.color, nl=False)


COMMANDS = (trends,)
