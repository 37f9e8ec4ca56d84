"""The history database: open, check and migrate it, and set a damaged file aside."""

from __future__ import annotations

import contextlib
import datetime
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from harness.errors import MachineError
from harness.files import find_no_space
from harness.runs.tables import STEPS

FILE = "history.sqlite3"

_WAIT_SECONDS = 60.0
"""The wait for other writing processes, each of which takes about a second."""

_APPLICATION = 0x4F56454E
"""The application id in the header of the file, which identifies a history
(https://sqlite.org/fileformat.html)."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

Say = Callable[[str], None]


class HistoryError(MachineError):
    """The history cannot be read or written (exit 5 in commands about the history)."""


@contextlib.contextmanager
def open_history(path: Path, say: Say) -> Iterator[sqlite3.Connection]:
    """Open the history for writing, exclusively; it is created or migrated if needed.

    A damaged history is set aside, reported through ``say``, and replaced by a new one. Write within
    ``transaction``.

    Raises:
        HistoryError: no room, no permission, locked for too long, of a newer version, or not a history.
    """
    with _translate(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock", timeout=_WAIT_SECONDS):
            with _connect(path, "rwc") as trial:
                damage = _find_damage(trial)
            if damage and not _is_history(path):
                raise HistoryError(f"{path}: not a history of the harness ({damage}); name another file")
            if damage:
                say(_put_aside(path, damage))
            with _connect(path, "rwc") as connection:
                _migrate(connection, path)
                yield connection


@contextlib.contextmanager
def read_history(path: Path, say: Say) -> Iterator[sqlite3.Connection]:
    """Open the history for reading, concurrently with writers; an empty one if the file does not exist.

    A history that is damaged, or of an earlier version, is repaired or migrated first.

    Raises:
        HistoryError: the history cannot be read.
    """
    with _translate(path):
        exists = path.exists()
    if not exists:
        with _translate(path), contextlib.closing(sqlite3.connect(":memory:")) as empty:
            _migrate(empty, path)
            yield empty
        return
    with _translate(path):
        with _connect(path, "rw") as connection:
            ready = not _find_damage(connection) and _version(connection) == len(STEPS)
            if ready:
                _refuse_foreign(connection, path)
        if not ready:
            with open_history(path, say):
                """Repairs or migrates it."""
        with _connect(path, "rw") as connection:
            connection.execute("BEGIN")  # one consistent snapshot for all queries
            yield connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """An atomic transaction, also if this process is killed or the machine crashes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextlib.contextmanager
def _translate(path: Path) -> Iterator[None]:
    try:
        yield
    except filelock.Timeout:
        raise HistoryError(f"{path}: another process has locked it for {_WAIT_SECONDS:.0f} s") from None
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(find_no_space(error, path) or f"{path}: {error}") from error
    except NotImplementedError as error:  # no locks on this file system
        raise HistoryError(f"{path}: {error}") from error


@contextlib.contextmanager
def _connect(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """A connection; mode ``rw`` also works on a read-only file, for reading."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with contextlib.closing(
        sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
    ) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _find_damage(connection: sqlite3.Connection) -> str:
    """The damage of the whole file by SQLite's quick check; empty if there is none."""
    try:
        (report,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGE:
            raise
        return str(error)
    return "" if report == "ok" else " ".join(str(report).split())


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database of another program."""
    (ours,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and ours != _APPLICATION:
        raise HistoryError(f"{path}: a database, but not a history of the harness; name another file")


def _is_history(path: Path) -> bool:
    """Whether a damaged file was a history, by its name or the application id in its header."""
    if path.name == FILE:
        return True
    with path.open("rb") as file:
        header = file.read(72)
    return header[68:] == _APPLICATION.to_bytes(4, "big")


def _put_aside(path: Path, damage: str) -> str:
    """Rename the file and its journal, which SQLite would otherwise roll back into the new file."""
    now = datetime.datetime.now(datetime.UTC)
    aside = path.with_name(f"{path.stem}.damaged-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}{path.suffix}")
    for ending in ("-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    path.rename(aside)
    return (
        f"the history {path} is damaged ({damage}): renamed to {aside.name}, and a new one was created; "
        f"`harness history --import {path.parent}` imports the runs that still have folders there"
    )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    _refuse_foreign(connection, path)
    version = _version(connection)
    if version > len(STEPS):
        raise HistoryError(
            f"{path}: found history version {version}, expected at most {len(STEPS)}; "
            "use a newer harness, or another file (HARNESS_HISTORY)"
        )
    if version == len(STEPS):
        return
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has an effect before the first table only
    with transaction(connection):
        for step in STEPS[version:]:
            step(connection)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
    connection.executescript("PRAGMA incremental_vacuum")  # a step may leave free pages
