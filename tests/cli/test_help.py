"""The help of every command: nothing is missing, twice, or wider than a terminal."""

from __future__ import annotations

import click
import pytest

from harness.cli.help import HEADINGS, PURPOSES, Command
from harness.cli.main import cli
from harness.redaction import redact


def list_shown(group: click.Group, before: str = "") -> dict[str, click.Command]:
    """The commands that the help shows, those of groups in their places."""
    found: dict[str, click.Command] = {}
    for name, each in group.commands.items():
        if isinstance(each, click.Group):
            found |= list_shown(each, f"{before}{name} ")
        elif not each.hidden:
            found[f"{before}{name}"] = each
    return found


SHOWN = list_shown(cli)


def read_help(command: click.Command) -> list[str]:
    context = click.Context(command, info_name=f"harness {command.name}", terminal_width=80)
    return command.get_help(context).splitlines()


@pytest.mark.parametrize("name", SHOWN)
def test_every_option_is_below_one_heading(name: str) -> None:
    lines = read_help(SHOWN[name])
    options = [each for each in SHOWN[name].params if isinstance(each, click.Option) and not each.hidden]
    for option in options:
        assert sum(f"{option.opts[-1]} " in f"{line} " for line in lines if line.startswith("  -")) == 1
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("name", SHOWN)
def test_no_address_of_the_help_looks_like_a_credential(name: str) -> None:
    """What is printed is redacted: ``dask://HOST:PORT`` has no port, so all of it is hidden."""
    said = "\n".join(read_help(SHOWN[name]))
    assert redact(said) == said


@pytest.mark.parametrize("name", SHOWN)
def test_examples_and_exit_codes_end_the_help(name: str) -> None:
    command, lines = SHOWN[name], read_help(SHOWN[name])
    assert isinstance(command, Command)
    codes = lines[lines.index("Exit codes:") + 1 :]
    assert [line.split()[0] for line in codes if line[2] != " "] == [
        str(code) for code in sorted(command.codes)
    ]
    for example in command.examples:
        assert f"  {example}" in lines, "whole, to be copied"
        assert example.startswith(f"harness {name}")


@pytest.mark.parametrize("name", ["gate", "sweep", "init", "workflow", "accept", "bisect"])
def test_long_commands_have_headings(name: str) -> None:
    lines = read_help(SHOWN[name])
    assert "Options:" not in lines
    assert [line[:-1] for line in lines if line[:-1] in HEADINGS] == [
        heading for heading in HEADINGS if f"{heading}:" in lines
    ]
    assert lines[lines.index("Other:") - 1] == ""


def test_every_heading_and_purpose_names_what_there_is() -> None:
    there = {name for each in SHOWN.values() for option in each.params for name in option.opts}
    assert {name for names in HEADINGS.values() for name in names} - there == set()
    assert {name for names in PURPOSES.values() for name in names} - set(cli.commands) == set()


def test_an_option_without_a_heading_is_shown() -> None:
    options = [click.Option([f"--new-{number}"]) for number in range(6)]
    lines = read_help(
        Command("new", params=[*options, click.Option(["--to"], help="x")], examples=("--to x",))
    )
    assert [line for line in lines if line.endswith(":")] == ["Upgrade:", "Other:", "Example:", "Exit codes:"]
    assert sum("--new-" in line for line in lines) == 6
