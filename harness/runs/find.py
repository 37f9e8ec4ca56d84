"""Find a run by id or prefix, by folder or file, or as ``latest`` or ``previous``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from harness.errors import UsageError
from harness.reading import exists
from harness.records import Snapshot
from harness.runs.database import Say, read_history
from harness.runs.folder import read_folder
from harness.runs.reading import list_runs, match_run, read_snapshot
from harness.runs.recording import History

LATEST = "latest"
PREVIOUS = "previous"
"""The run before the latest one, of the same matrix and kind."""


def find_snapshot(wanted: str, reports: Path, history: History, say: Say) -> Snapshot:
    """Find a run in its folder or in the history.

    Raises:
        UsageError: no run matches, or several do.
        HistoryError: the history cannot be read.
    """
    folder = _find_folder(wanted, reports)
    if folder is not None:
        return read_folder(folder)
    with read_history(history.path, say) as connection:
        run = _find_recorded(connection, wanted)
        if run is not None:
            return read_snapshot(connection, run)
    inside = [path for path in (reports / "runs").glob(f"{_escape(wanted)}*") if path.is_dir()]
    if len(inside) == 1 and not inside[0].is_symlink():
        return read_folder(inside[0])
    raise UsageError(f"{wanted}: {_describe_missing(wanted, history)}")


def _find_folder(wanted: str, reports: Path) -> Path | None:
    if wanted in {LATEST, PREVIOUS}:  # not the link `latest`, which skips gates
        return None
    for path in (reports / "runs" / wanted, Path(wanted)):
        if exists(path):
            return path
    return None


def _find_recorded(connection: sqlite3.Connection, wanted: str) -> str | None:
    if wanted not in {LATEST, PREVIOUS}:
        return match_run(connection, wanted)
    runs = list_runs(connection)
    if wanted == LATEST:
        return runs[0].run if runs else None
    similar = [each.run for each in runs if (each.matrix, each.kind) == (runs[0].matrix, runs[0].kind)]
    return similar[1] if len(similar) > 1 else None


def _describe_missing(wanted: str, history: History) -> str:
    if wanted == LATEST:
        return f"the history {history.path} is empty; run a sweep, or `harness history --import FOLDER`"
    if wanted == PREVIOUS:
        return "there is no earlier run of the same matrix and kind; `harness history` lists all runs"
    return "no run, folder or results file has this name; `harness history` lists all runs"


def _escape(text: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in text)
