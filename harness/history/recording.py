"""What happens to a run when it is over: it becomes history, and the oldest may go. Never fails a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.history.database import FILE, HistoryError, Say, open_history, transaction
from harness.history.folders import read_folder
from harness.history.writing import give_back_space, old_runs, put_run, remove_runs
from harness.history_records import Snapshot

KEEP_RUNS = 200
"""Of each matrix and kind, unless said otherwise; what cells share is kept once."""


@dataclass(frozen=True)
class History:
    """Where the history lies, and how many runs of each matrix and kind it keeps; none at all with 0.

    It lies beside the runs, not in the user's store: the store is a cache that anybody may empty, and history
    cannot be made again; a CI keeps the one file from job to job; several matrices of a person share it.
    """

    path: Path
    keep: int = KEEP_RUNS

    @classmethod
    def beside(cls, reports: Path) -> History:
        """The one of the runs in ``<reports>/runs``."""
        return cls(reports / "runs" / FILE)


def record_folder(folder: Path, history: History, say: Say) -> None:
    """Take the finished run in a folder into the history; what gets in the way is said, never raised."""
    if history.keep == 0:
        return
    try:
        record_runs([read_folder(folder)], history, say)
    except (UsageError, HistoryError) as error:
        say(f"this run is not in the history: {error}")


def record_runs(snapshots: Iterable[Snapshot], history: History, say: Say) -> None:
    """Write runs, each in a transaction of its own, then remove what is beyond retention, and say so.

    Raises:
        HistoryError: the history cannot be written; runs before the one that failed are in it.
    """
    with open_history(history.path, say) as connection:
        for snapshot in snapshots:
            with transaction(connection):
                put_run(connection, snapshot)
        _remove_old(connection, history, say)


def keep_newest(history: History, say: Say) -> None:
    """Remove what is beyond retention, now.

    Raises:
        HistoryError: the history cannot be written.
    """
    with open_history(history.path, say) as connection:
        _remove_old(connection, history, say)


def _remove_old(connection: sqlite3.Connection, history: History, say: Say) -> None:
    with transaction(connection):
        old = old_runs(connection, history.keep)
        remove_runs(connection, old)
    if not old:
        return
    give_back_space(connection)
    noun = "1 old run" if len(old) == 1 else f"{len(old)} old runs"
    kept = f"it keeps {history.keep} of each matrix and kind"
    say(f"removed {noun} from the history, {old[0]} the oldest: {kept}")


def pin_run(run: str, history: History, say: Say, *, pinned: bool) -> None:
    """Pin a run, which retention then never removes and trends are measured against; or unpin it.

    Raises:
        HistoryError: the history cannot be written.
    """
    statement = "INSERT OR IGNORE INTO pin VALUES (?)" if pinned else "DELETE FROM pin WHERE run = ?"
    with open_history(history.path, say) as connection, transaction(connection):
        connection.execute(statement, (run,))
