"""The command ``comment``, which posts the report of a gate on the pull request of a CI job."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import choice_options
from harness.errors import MachineError, UsageError
from harness.forge.comment import BOT, CommentError, make_marker, post_report
from harness.resolve.packages import make_choice


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--matrix", default="", metavar="NAME|FILE", help="The matrix that the gate must have had.")
@click.option("--file", default="", metavar="FILE", help="The dependency file that it must have had.")
@choice_options()
@click.option(
    "--author", default=BOT, show_default=True, metavar="LOGIN", help="The account of the token, on GitHub."
)
def comment(  # noqa: PLR0913 - one parameter an option
    *, report: Path, matrix: str, file: str, extras: tuple[str, ...], groups: tuple[str, ...], author: str
) -> None:
    """Create or update the comment of a gate on the pull request of this CI job.

    REPORT is the folder of a gate, or its gate.md. The command runs in a job of GitHub Actions for a pull
    request, or of GitLab CI for a merge request, with a token in GITHUB_TOKEN or GATE_TOKEN. It finds its
    comment by the account of the token and by the hidden marker. With --matrix, --file, --extra and --group
    as those of the gate, a report with another marker is refused, and a missing one becomes an error in the
    comment.
    """
    if not matrix and (file or extras or groups):
        raise UsageError("--file, --extra and --group go with --matrix; add it")
    choice = make_choice(extras, groups)
    own = make_marker(matrix, file, choice.extras, choice.groups)
    try:
        click.echo(post_report(report, own, author))
    except CommentError as error:
        raise MachineError(str(error)) from None


COMMANDS = (comment,)
"""The commands of this module."""
