"""The history beside the commands: where it is, what a finished run leaves there, what its page is told."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from harness.cli.output import fit
from harness.cli.rendering import render_run
from harness.earlier import recall
from harness.errors import UsageError
from harness.history.recording import History, record_folder
from harness.history_records import Earlier
from harness.pipeline import Render
from harness.reading import exists, input_fault
from harness.records import Run
from harness.report.escape import disarm_commands

FILE_VARIABLE = "HARNESS_HISTORY"
"""Where the history lies, instead of beside the runs."""

MAX_RUNS = 999_999_999
"""Runs that a history may keep: what SQLite counts with."""

KEEP_VARIABLE = "HARNESS_KEEP_RUNS"
"""How many runs of each matrix and kind it keeps; 0: nothing is recorded."""


def say(text: str) -> None:
    """Tell a person beside the output, which may be read by a program."""
    click.echo(fit(disarm_commands(f"note: {text}"), sys.stderr), err=True)


def remember(folder: Path, reports: Path) -> None:
    """Take a finished run, of a sweep or a gate, into the history; what gets in the way is a note."""
    try:
        history = open_history_of(reports)
    except UsageError as error:
        say(f"this run is not in the history: {error}")
        return
    record_folder(folder, history, say)


def render_in(reports: Path) -> Render:
    """How a run in these reports is rendered: its page says what changed since the runs before it."""

    def render(run: Run, folder: Path) -> Earlier:
        try:
            earlier = recall(run, open_history_of(reports), say)
        except UsageError as error:
            say(f"the page has nothing on earlier runs: {error}")
            earlier = Earlier()
        render_run(run, folder, earlier)
        return earlier

    return render


def open_history_of(reports: Path) -> History:
    """The history of these reports, as the environment variables have it.

    Raises:
        UsageError: ``HARNESS_KEEP_RUNS`` is no number, or the history is no file.
    """
    named, keep = os.environ.get(FILE_VARIABLE), os.environ.get(KEEP_VARIABLE)
    history = History.beside(reports)
    if named:
        if not named.strip():
            raise UsageError(f"{FILE_VARIABLE} is blank; name a file, or unset it")
        history = History(Path(named), history.keep)
    if exists(history.path) and (fault := input_fault(history.path, "file")):
        raise UsageError(f"the history {fault}; name another file with {FILE_VARIABLE}")
    if not keep:
        return history
    if not re.fullmatch(r"[0-9]{1,9}", keep):
        raise UsageError(
            f"{KEEP_VARIABLE}={keep[:40]!r}: expected a number of runs such as 200, at most {MAX_RUNS}, "
            "or 0 for none"
        )
    return History(history.path, int(keep))
