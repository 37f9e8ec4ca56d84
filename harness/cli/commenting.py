"""The commands ``comment`` and ``acknowledged``, which write to and read the pull request of a CI job."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from harness.cli.help import Command
from harness.cli.options import choice_options
from harness.cli.waiting import find_waiting
from harness.errors import MachineError, UsageError
from harness.files import write_output
from harness.forge.acknowledged import describe_unread, read_acknowledgements
from harness.forge.comment import BOT, CommentError, make_marker, post_report
from harness.forge.pull_request import find_pull_request
from harness.protection import read_variables
from harness.records import Acknowledgements
from harness.resolve.packages import make_choice
from harness.runs.documents import render_document

VARIABLES = (
    *("GITHUB_ACTIONS", "GITHUB_API_URL", "GITHUB_REF", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"),
    *("GITHUB_SERVER_URL", "GITHUB_TOKEN", "GITLAB_CI", "GATE_TOKEN", "GATE_READ_TOKEN", "CI_API_V4_URL"),
    *("CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_PROJECT_ID", "CI_MERGE_REQUEST_PROJECT_URL"),
    *("CI_PIPELINE_URL", "CI_PROJECT_URL", "CI_SERVER_TLS_CA_FILE", "CI_SERVER_URL"),
)
"""Variables of a job that both commands read; the process keeps them out of its own environment."""


@click.command(cls=Command, examples=("reports/runs/latest --matrix matrices/service.toml",))
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
    find_waiting().begin("the forge")
    try:
        click.echo(post_report(report, own, read_variables(VARIABLES), author))
    except CommentError as error:
        raise MachineError(str(error)) from None


@click.command(cls=Command, examples=("acknowledged.json",))
@click.argument("file", type=click.Path(path_type=Path))
def acknowledged(*, file: Path) -> None:
    """Write what people accepted in the pull request of this CI job to FILE, for a gate.

    A line `harness: accept QUESTION PACKAGE because REASON` in the description or a comment counts if its
    author has write access. QUESTION is vectors, ranking, dtype, stability or cost; PACKAGE may also be a
    scenario, a check or a case. The token in GITHUB_TOKEN or GATE_READ_TOKEN needs to read only. If the pull
    request cannot be read, nothing counts, and FILE and the gate say why.
    """
    find_waiting().begin("the forge")
    try:
        lines = read_acknowledgements(find_pull_request(read_variables(VARIABLES)))
    except CommentError as error:
        lines = describe_unread(error)
        click.echo(f"nothing counts, the pull request was not read: {error.why}", err=True)
    found = msgspec.convert(lines, Acknowledgements)
    write_output(file, render_document(found).encode())
    click.echo(f"counted: {len(found.counted)}, without effect: {len(found.disregarded)}")


COMMANDS = (comment, acknowledged)
"""The commands of this module."""
