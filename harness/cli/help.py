"""What ``--help`` shows: commands by purpose, options under headings, examples and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

PURPOSES: dict[str, tuple[str, ...]] = {
    "Check an upgrade": ("init", "gate", "accept", "bisect", "workflow", "acknowledged", "comment", "canary"),
    "Sweep versions": ("sweep", "merge", "cells", "lock", "matrix"),
    "Review code": ("audit",),
    "Look at results": ("report", "history", "compare", "trends", "export", "reproduce", "explain"),
}
"""What a person wants -> the commands for it, in the order in which they are needed; the others maintain."""

HEADINGS: dict[str, tuple[str, ...]] = {
    "Upgrade": ("--from", "--to", "--base", "--allow-equal"),
    "Service": ("--embedder", "--query", "--normalizer", "--model", "--name"),
    "Dependencies": ("--file", "--extra", "--group", "--requires", "--python", "--python-downloads"),
    "Pipeline": ("--forge", "--install", "--inline", "--author", "--audit"),
    "Expectation": ("--reason", "--check", "--link"),
    "Cells and checks": ("--matrix", "--only", "--skip", "--checks", "--max-cells", "--golden"),
    "Isolation": ("--isolation",),
    "Several machines": ("--shard", "--durations", "--shards", "--count-shards", "--executor"),
    "Measuring": ("--latency", "--no-latency", "--rounds", "--quantities", "--budget", "--jobs"),
    "Cause": ("--no-culprit", "--culprit-budget"),
    "Old code": ("--baseline", "--update-baseline"),
    "Verdict": ("--accept-known", "--acknowledged", "--allow-inconclusive"),
    "Recorded runs": ("--import", "--keep-runs", "--pin", "--unpin"),
    "Earlier results": ("--fresh", "--rerun"),
    "Where things are": ("--store", "--reports"),
}
"""A heading of a long command -> the options below it; all others are below ``Other``."""

LONG = 6
"""Options from which a command has headings; fewer are read at a glance."""

DONE: dict[int, str] = {
    0: "done",
    2: "invalid usage or configuration, with file, key and expected value",
    5: "the harness or the machine failed",
}
"""The exit codes of commands without a verdict."""

VERDICT: dict[int, str] = {
    0: "nothing new is wrong",
    1: "regressed or failing: something new is wrong, or a known fault is gone",
    2: DONE[2],
    3: "unsatisfiable: an environment unexpectedly has no solution",
    4: "inconclusive: a question that was asked has no answer",
    5: "nothing was measured, or the harness or the machine failed",
    130: "interrupted; the same command resumes",
}
"""The exit codes of commands with a verdict."""

FOUND: dict[int, str] = {
    **VERDICT,
    0: "every release is good",
    1: "the first bad release was found or narrowed down",
}
"""The exit codes of the search for a release."""

RESOLVED: dict[int, str] = {0: DONE[0], 2: DONE[2], 3: VERDICT[3], 5: DONE[5]}
"""The exit codes of commands that need one environment."""


class Command(click.Command):
    """A command whose help has headings, ``examples`` (arguments of the command) and exit codes."""

    def __init__(
        self,
        *arguments: Any,
        examples: Sequence[str] = ("",),
        codes: Mapping[int, str] = DONE,
        group: str = "harness",
        **others: Any,
    ) -> None:
        super().__init__(*arguments, **others)
        self.examples = tuple(f"{group} {self.name} {example}".strip() for example in examples)
        self.codes = codes

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of a long command under headings, those of a short one in one list."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        if len(options) < LONG:
            super().format_options(ctx, formatter)
            return
        heading_of = {name: heading for heading, names in HEADINGS.items() for name in names}
        for wanted in (*HEADINGS, "Other"):
            below = [each for each in options if heading_of.get(each.opts[-1], "Other") == wanted]
            rows = [row for each in below if (row := each.get_help_record(ctx)) is not None]
            if rows:
                with formatter.section(wanted):
                    formatter.write_dl(rows, col_max=_COLUMN)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on its own line so that it can be copied, then the exit codes."""
        with formatter.section("Examples" if len(self.examples) > 1 else "Example"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), what) for code, what in sorted(self.codes.items())])
        super().format_epilog(ctx, formatter)


_COLUMN = 24
"""Widest column of names beside their help; longer ones have a line of their own."""


class Commands(click.Group):
    """A group that lists its commands by purpose, each with its whole first sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each purpose; click would write one list, and truncate the sentences."""
        named = [name for names in PURPOSES.values() for name in names]
        others = tuple(name for name in self.list_commands(ctx) if name not in named)
        for purpose, names in {**PURPOSES, "Maintain": others}.items():
            entries = [
                (name, command.get_short_help_str(limit=sys.maxsize))
                for name in names
                if (command := self.get_command(ctx, name)) is not None and not command.hidden
            ]
            if entries:
                with formatter.section(purpose):
                    formatter.write_dl(entries)
