"""The command ``workflow``, which prints a CI pipeline with the gate."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

import click
from click.core import ParameterSource
from packaging.version import Version

from harness.cli.help import Command
from harness.cli.options import choice_options, matrix_option
from harness.cli.screen import fit
from harness.errors import UsageError
from harness.gate.completion import complete_choice, dependency_file_of, refuse_foreign_matrix
from harness.gate.sides import refuse_unusable, side_of_pins
from harness.init.installed import describe_installation
from harness.init.project import find_hosts
from harness.matrix.schema import Matrix
from harness.redaction import redact
from harness.report.audit_workflows import AuditPipeline, render_audit_workflow
from harness.report.escape import disarm_commands
from harness.report.pipelines import Forge
from harness.report.shard_workflows import MAX_SHARDS, ShardPipeline, render_shard_workflow
from harness.report.workflows import Home, Pipeline, find_home, render_workflow
from harness.resolve.dependency_file import read_environment_file
from harness.resolve.packages import Choice, make_choice
from harness.sweep.interrupt import run_interruptibly
from harness.sweep.run_sweep import open_matrix

PIPELINE_PYTHON = "3.11"
"""The oldest Python that the harness itself runs on."""


_OF_THE_GATE = ("file", "extras", "groups", "budget", "culprit_budget", "inline")
"""Parameters of the command that mean nothing for a sweep."""

_OF_CELLS = (*_OF_THE_GATE, "matrix", "shards")
"""Those that mean nothing for an audit."""


@click.command(
    cls=Command,
    examples=(
        "github > .github/workflows/gate.yml",
        "gitlab > .gitlab-ci.yml",
        "github --shards 8 > .github/workflows/sweep.yml",
        "github --audit src > .github/workflows/audit.yml",
    ),
)
@click.argument("forge", type=click.Choice(get_args(Forge)))
@click.option("--file", metavar="FILE", help="The dependency file.  [default: of the matrix, else the one]")
@choice_options("of the matrix")
@matrix_option
@click.option(
    "--install",
    default="",
    metavar="REQUIREMENT",
    help="The harness for pip to install, such as git+https://HOST/OWNER/REPOSITORY@COMMIT.  "
    "[default: as it was installed here]",
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
@click.option(
    "--python",
    metavar="VERSION",
    help=f"Python of the harness.  [default: of the matrix, at least {PIPELINE_PYTHON}]",
)
@click.option(
    "--inline",
    is_flag=True,
    help="Print every step, instead of using those of the repository of the harness.",
)
@click.option(
    "--shards",
    type=click.IntRange(2, MAX_SHARDS),
    metavar="MOST",
    help="Print a pipeline that sweeps the matrix on at most MOST machines instead.",
)
@click.option("--audit", metavar="PATH", help="Print a pipeline that audits the code below PATH instead.")
def workflow(  # noqa: PLR0913 - one parameter an option
    *,
    forge: Forge,
    file: str | None,
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    matrix: str,
    install: str,
    budget: str,
    culprit_budget: str,
    python: str | None,
    inline: bool,
    shards: int | None,
    audit: str | None,
) -> None:
    """Print a CI pipeline that runs the gate when a dependency file changes and comments the result.

    It refuses what the gate would refuse. Where the harness is installed from a git repository on the server
    of the project, the pipeline is a few lines that use the action (or file) of that repository at that
    commit; elsewhere, and with --inline, it holds every step itself.

    With --shards it prints a pipeline that sweeps the matrix instead, weekly and by hand: a job counts the
    shards, each of the next jobs sweeps one, and the last job merges their runs, whose verdict counts.

    With --audit it prints a pipeline that runs `harness audit` when code changes, and shows the findings in
    code scanning (GitHub) or Code Quality (GitLab).
    """
    refuse_credentials(
        {"--install": install, "--file": file or "", "--matrix": matrix, "--audit": audit or ""}
    )
    if audit is not None:
        click.echo(_print_audit(forge, audit, install, python), nl=False)
        return
    found = open_matrix(matrix)
    if shards is not None:
        click.echo(_print_sweep(forge, found, matrix, install, shards, python), nl=False)
        return
    refuse_foreign_matrix(found, Path.cwd(), alone=file is None)
    named = make_choice(extras, groups)
    choice = complete_choice(named, found)
    install = install or require_installation()
    home, unused = (None, "") if inline else run_interruptibly(choose_home(forge, install, Path.cwd()))
    pipeline = Pipeline(
        file=file or dependency_file_of(found, Path.cwd(), "--file"),
        matrix=matrix,
        install=install,
        budget=budget,
        matrix_budget=budget_of(found),
        culprit_budget=culprit_budget,
        python=python or python_of(found),
        extras=named.extras,  # the gate reads those of the matrix by itself
        groups=named.groups,
        pass_env=found.subject.pass_env,
        home=home,
    )
    text = render_workflow(forge, pipeline)
    for note in filter(None, (*read_as_the_gate(found, pipeline.file, choice), unused)):
        click.echo(fit(disarm_commands(f"note: {note}"), sys.stderr), err=True)  # the text may go to a file
    click.echo(text, nl=False)


def _print_audit(forge: Forge, path: str, install: str, python: str | None) -> str:
    _refuse_options(_OF_CELLS, "--audit prints the pipeline of an audit")
    install = install or require_installation()
    return render_audit_workflow(
        forge, AuditPipeline(path=path, install=install, python=python or PIPELINE_PYTHON)
    )


def _print_sweep(  # noqa: PLR0913, PLR0917 - one parameter a setting
    forge: Forge, found: Matrix, matrix: str, install: str, shards: int, python: str | None
) -> str:
    _refuse_options(_OF_THE_GATE, "--shards prints the pipeline of a sweep")
    sweep = ShardPipeline(
        matrix=matrix,
        install=install or require_installation(),
        shards=shards,
        python=python or _python_of_sweep(found),
        pass_env=found.subject.pass_env,
    )
    return render_shard_workflow(forge, sweep)


def _refuse_options(names: Collection[str], printed: str) -> None:
    context = click.get_current_context()
    named = [
        option.opts[0]
        for option in context.command.params
        if option.name in names and context.get_parameter_source(option.name) is not ParameterSource.DEFAULT
    ]
    if named:
        raise UsageError(f"{printed}; leave out {', '.join(named)}")


async def choose_home(forge: Forge, install: str, project: Path) -> tuple[Home | None, str]:
    """The repository of the harness, if a pipeline of this project can use it, else a note why not.

    A pipeline reaches repositories on its own server only: that of the remotes of the project, or the public
    one of the forge if there is no remote.
    """
    home = find_home(forge, install)
    servers = await find_hosts(project) or (f"{forge}.com",)
    if home is None or home.host.partition(":")[0] in servers:
        return home, ""
    return None, (
        f"every step is printed, because the harness is on {home.host}, and a pipeline uses what is on "
        f"{' or '.join(servers)} only"
    )


def read_as_the_gate(matrix: Matrix, file: str, choice: Choice) -> tuple[str, ...]:
    """The notes of the gate on a dependency file, before it resolves anything.

    Raises:
        UsageError: the gate would refuse the file, or what is chosen from it.
    """
    side = side_of_pins(matrix)
    found = run_interruptibly(read_environment_file(file, side.python, Path.cwd(), choice))
    refuse_unusable(found, side.tested)
    return found.notes


def refuse_credentials(options: Mapping[str, str]) -> None:
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


def require_installation() -> str:
    """The requirement with which pip installs this harness elsewhere.

    Raises:
        UsageError: it was installed from a folder, which a CI does not have.
    """
    if found := describe_installation():
        return found
    raise UsageError(
        "the harness was installed from a local folder, which a CI does not have; name what pip installs "
        "there, such as --install git+https://HOST/OWNER/REPOSITORY@COMMIT"
    )


def budget_of(matrix: Matrix) -> str:
    """The gate budget of a matrix."""
    return f"{math.ceil(matrix.gate.budget_seconds)}s"


def python_of(matrix: Matrix) -> str:
    """The Python of a pipeline: that of the matrix, if the harness runs on it."""
    minor = ".".join(side_of_pins(matrix).python.split(".")[:2])
    return max(minor, PIPELINE_PYTHON, key=Version)


def _python_of_sweep(matrix: Matrix) -> str:
    """The Python of a sweep, whose cells have their own."""
    known = matrix.baseline or "python" in matrix.pins
    return python_of(matrix) if known else PIPELINE_PYTHON


COMMANDS = (workflow,)
"""The commands of this module."""
