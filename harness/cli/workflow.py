"""The command ``workflow``, which prints a CI pipeline with the gate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import click

from harness.cli.options import matrix_option
from harness.errors import UsageError
from harness.matrix.read import find_matrix, read_matrix
from harness.redaction import redact
from harness.report.workflows import Forge, Pipeline, render_workflow


@click.command()
@click.argument("forge", type=click.Choice(get_args(Forge)))
@click.option("--file", default="requirements.txt", show_default=True, help="The dependency file.")
@matrix_option
@click.option(
    "--install",
    required=True,
    metavar="REQUIREMENT",
    help="The harness for pip to install, such as git+https://HOST/OWNER/REPOSITORY@COMMIT.",
)
@click.option(
    "--budget",
    default="",
    metavar="TIME",
    help="Time limit for latency and memory.  [default: of the matrix]",
)
@click.option(
    "--culprit-budget",
    default=Pipeline.culprit_budget,
    show_default=True,
    metavar="TIME",
    help="Time limit of the search for the cause.",
)
@click.option("--python", default="3.11", show_default=True, metavar="VERSION", help="Python of the harness.")
def workflow(  # noqa: PLR0913 - one parameter an option
    *, forge: Forge, file: str, matrix: str, install: str, budget: str, culprit_budget: str, python: str
) -> None:
    """Print a CI pipeline that runs the gate when a dependency file changes and comments the result.

    Example: harness workflow github --install ... > .github/workflows/gate.yml
    """
    _refuse_credentials({"--install": install, "--file": file, "--matrix": matrix})
    pipeline = Pipeline(
        file=file,
        matrix=matrix,
        install=install,
        budget=budget,
        matrix_budget=_budget_of(matrix),
        culprit_budget=culprit_budget,
        python=python,
    )
    click.echo(render_workflow(forge, pipeline), nl=False)


def _refuse_credentials(options: Mapping[str, str]) -> None:
    """Reject options that hold credentials.

    Raises:
        UsageError: an option holds credentials.
    """
    for option, value in options.items():
        if (plain := redact(value)) != value:
            raise UsageError(
                f"{option} {plain}: it holds credentials, and a pipeline file is committed; give the address "
                "without them, and pass them to pip or git through a CI secret (PIP_INDEX_URL, .netrc)"
            )


def _budget_of(matrix: str) -> str:
    """The gate budget of a matrix.

    Raises:
        UsageError: the matrix is missing or invalid; the gate would refuse it too.
    """
    return f"{math.ceil(read_matrix(find_matrix(matrix, Path.cwd())).gate.budget_seconds)}s"


COMMANDS = (workflow,)
"""The commands of this module."""
