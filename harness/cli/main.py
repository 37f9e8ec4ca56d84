"""The command line: the group of commands, and the translation of errors into exit codes."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn

import click

from harness.cli import (
    accepting,
    auditing,
    commenting,
    gating,
    init,
    look,
    maintain,
    reproducing,
    selecting,
    sweeping,
    workflow,
)
from harness.cli.help import Commands
from harness.cli.screen import print_aside, tolerate_closed_pipes
from harness.cli.waiting import Waiting
from harness.errors import ExitCode, HarnessError, UsageError
from harness.files import describe_os_error
from harness.matrix.read import PACKAGE
from harness.redaction import redact
from harness.report.escape import disarm_commands, scrub

MAX_ARGUMENT = 4000
"""Largest length of an argument in characters, below the 4,300 digits that Python converts to a number."""

MAX_SAID = 500
"""Largest length of an internal error on the terminal, in characters."""


def _read_version() -> str:
    """The installed version, or that of the checkout that nox runs."""
    try:
        return metadata.version("embedding-parity-harness")
    except metadata.PackageNotFoundError:
        project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
        return f"{project['project']['version']}+checkout"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_read_version(), message="%(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Compare an OpenVINO embedding plus manual NumPy normalization with sentence-transformers.

    In a repository with a service: `harness init`, then `harness gate numpy==2.4.6`.

    Exit codes: 0 pass, 1 regressed, 2 invalid usage or configuration, 3 unsatisfiable, 4 inconclusive,
    5 error of the harness or the machine. `harness COMMAND --help` has those of each command.
    """
    context.obj = context.with_resource(Waiting(print_aside).watch())


for command in (
    *init.COMMANDS,
    *sweeping.COMMANDS,
    *gating.COMMANDS,
    *commenting.COMMANDS,
    *accepting.COMMANDS,
    *look.COMMANDS,
    *reproducing.COMMANDS,
    *auditing.COMMANDS,
    *maintain.COMMANDS,
    *selecting.COMMANDS,
    *workflow.COMMANDS,
):
    cli.add_command(command)


def _disarm(text: str) -> str:
    """Remove credentials and control sequences from a message; it may quote files and packages."""
    return disarm_commands(scrub(text))


def _refuse_unusable(arguments: Sequence[str]) -> None:
    """Reject arguments that are blank, too long, or not text.

    Raises:
        UsageError: one is; with its position, because an unset shell variable leaves no other trace.
    """
    for at, argument in enumerate(arguments):
        behind = f"argument {at + 1}" + (f" (after {arguments[at - 1]})" if at else "")
        if not argument.strip():
            raise UsageError(f"{behind} is empty; give it a value, or leave it out")
        if len(argument) > MAX_ARGUMENT:
            raise UsageError(f"{behind} has {len(argument)} characters; at most {MAX_ARGUMENT} are allowed")
        if not argument.isascii() and any("\ud800" <= letter <= "\udfff" for letter in argument):
            raise UsageError(
                f"{behind} is not UTF-8 text: {argument!r}; rename the file, or write it in UTF-8"
            )


def _report_internal_error() -> str:
    """Write the traceback of an internal error to a file and return the message for the terminal."""
    said = "\n".join(
        (
            f"harness {_read_version()}, Python {sys.version}, {platform.platform()}",
            f"command: {shlex.join(sys.argv)}",
            traceback.format_exc(),
        )
    )
    report = redact(said)
    try:
        handle, name = tempfile.mkstemp(prefix="harness-internal-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(report)
    except OSError:
        return f"{report}\nharness: internal error; please file an issue with the lines above"
    error = traceback.format_exception_only(*sys.exc_info()[:2])[-1].strip()[:MAX_SAID]
    return (
        f"harness: internal error: {redact(error)}\n"
        f"harness: the report is in {name}, without the credentials of addresses. Please read it, "
        "then attach it to an issue of the harness"
    )


def main() -> NoReturn:
    """Run the command line; the exit code is the verdict or the kind of error."""
    tolerate_closed_pipes()
    try:
        _refuse_unusable(sys.argv[1:])
        code = cli.main(standalone_mode=False)
    except HarnessError as error:
        click.echo(_disarm(f"harness: {error}"), err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo(
            "harness: interrupted; finished cells are kept, the same command resumes the run", err=True
        )
        code = ExitCode.INTERRUPTED
    except OSError as error:
        click.echo(_disarm(f"harness: I/O error: {describe_os_error(error)}"), err=True)
        code = ExitCode.ERROR
    except MemoryError as error:
        click.echo(_disarm(f"harness: {str(error) or 'not enough memory'}"), err=True)
        code = ExitCode.ERROR
    except Exception:  # noqa: BLE001 - an exit code of 1 would say that a cell regressed
        click.echo(_disarm(_report_internal_error()), err=True)
        code = ExitCode.ERROR
    sys.exit(int(code or 0))
