"""The command ``harness``: the only place that prints and exits."""

from __future__ import annotations

import sys
import tomllib
import traceback
from importlib import metadata
from typing import NoReturn

import click

from harness.cli import bisecting, comparing, gating, keeping, sweeping, trending, workflows
from harness.cli.output import outlive_readers
from harness.errors import ExitCode, HarnessError
from harness.plan.data import PACKAGE
from harness.report.escape import disarm_commands, scrub


class Commands(click.Group):
    """The commands, each with its whole first sentence: click would cut it at the end of the line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; a sentence that does not fit goes on in the next line."""
        said = [
            (name, command.get_short_help_str(limit=sys.maxsize))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        ]
        with formatter.section("Commands"):
            formatter.write_dl(said)


def _read_version() -> str:
    """The version that is installed; nox runs a checkout, which is not."""
    try:
        return metadata.version("embedding-parity-harness")
    except metadata.PackageNotFoundError:
        project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
        return f"{project['project']['version']}+checkout"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_read_version(), message="%(version)s")
def cli() -> None:
    """Does the OpenVINO embedding plus manual NumPy normalization still equal sentence-transformers?

    Exit codes: 0 pass, 1 regressed, 2 bad usage or configuration, 3 unsatisfiable, 4 inconclusive,
    5 the harness or the machine failed.
    """


for command in (
    *sweeping.COMMANDS,
    *gating.COMMANDS,
    *bisecting.COMMANDS,
    *comparing.COMMANDS,
    *trending.COMMANDS,
    *keeping.COMMANDS,
    *workflows.COMMANDS,
):
    cli.add_command(command)


def _disarm(text: str) -> str:
    """Files and packages may have had a hand in the words of an error; terminals and logs obey."""
    return disarm_commands(scrub(text))


def main() -> NoReturn:
    """Run the command line; the exit code is the verdict, or says what went wrong."""
    outlive_readers()
    try:
        code = cli.main(standalone_mode=False)
    except HarnessError as error:
        click.echo(_disarm(f"harness: {error}"), err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("harness: interrupted; finished cells are kept, the same command carries on", err=True)
        code = ExitCode.INTERRUPTED
    except OSError as error:
        click.echo(_disarm(f"harness: the machine could not do its part: {error}"), err=True)
        code = ExitCode.ERROR
    except Exception:  # noqa: BLE001 - an exit code of 1 would say that a cell regressed
        click.echo(_disarm(traceback.format_exc()), err=True)
        click.echo("harness: a fault of the harness itself; please report it with the lines above", err=True)
        code = ExitCode.ERROR
    sys.exit(int(code or 0))
