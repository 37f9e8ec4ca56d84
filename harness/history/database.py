"""The file of the history: opened, checked, brought up to date, and put aside where it is damaged.

A rollback journal, no write-ahead log: that needs memory shared between processes, which network file
systems do not give, and leaves files beside the database that whoever copies or caches it would miss. One
run is written at its end, so nobody waits for long. https://sqlite.org/wal.html, https://sqlite.org/lockingv3.html
"""

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
from harness.history.schema import STEPS

FILE = "history.sqlite3"

_WAIT_SECONDS = 60.0
"""For other harnesses that write; each of them takes a second or so."""

_APPLICATION = 0x4F56454E
"""In the header of the file: tells a history from somebody else's database."""

"""How every database begins. https://sqlite.org/fileformat.html"""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

Say = Callable[[str], None]


class HistoryError(MachineError):
    """The history cannot be read or written (exit 5, where that is all that was asked for)."""


@contextlib.contextmanager
def open_history(path: Path, say: Say) -> Iterator[sqlite3.Connection]:
    """The history at ``path``, of today's version, made if need be; nobody else writes as long as it is open.

    A damaged one is put aside, which ``say`` is told, and a new one begun. What is written belongs into
    ``transaction``.

    Raises:
        HistoryError: no room, no permission, somebody else has it for too long, it is of a newer harness, or
            something else than a history.
    """
    with _translate(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock", timeout=_WAIT_SECONDS):
            with _connect(path, "rwc") as trial:
                damage = _find_damage(trial)
            if damage and not _is_history(path):
                raise HistoryError(f"{path}: no history of the harness ({damage}); name another file")
            if damage:
                say(_put_aside(path, damage))
            with _connect(path, "rwc") as connection:
                _bring_up_to_date(connection, path)
                yield connection


@contextlib.contextmanager
def read_history(path: Path, say: Say) -> Iterator[sqlite3.Connection]:
    """The history at ``path`` for reading, others may write meanwhile; an empty one if there is none.

    Where it is damaged, or of an earlier version, it is opened for writing first.

    Raises:
        HistoryError: it cannot be read.
    """
    with _translate(path):
        there = path.exists()
    if not there:
        with _translate(path), contextlib.closing(sqlite3.connect(":memory:")) as nothing:
            _bring_up_to_date(nothing, path)
            yield nothing
        return
    with _translate(path):
        with _connect(path, "rw") as connection:
            ready = not _find_damage(connection) and _version(connection) == len(STEPS)
            if ready:
                _refuse_foreign(connection, path)
        if not ready:
            with open_history(path, say):
                """Which repairs it."""
        with _connect(path, "rw") as connection:
            connection.execute("BEGIN")  # one state from the first question to the last
            yield connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, also when this process is killed or the machine goes down."""
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
        raise HistoryError(
            f"{path}: another harness has been writing to it for {_WAIT_SECONDS:.0f} s"
        ) from None
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(find_no_space(error, path) or f"{path}: {error}") from error
    except NotImplementedError as error:  # no locks on this file system
        raise HistoryError(f"{path}: {error}") from error


@contextlib.contextmanager
def _connect(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """A connection; with ``rw`` it reads where nothing can be written."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with contextlib.closing(
        sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
    ) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _find_damage(connection: sqlite3.Connection) -> str:
    """What is wrong with the whole file, read from end to end; empty where nothing is."""
    try:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGE:
            raise
        return str(error)
    return "" if said == "ok" else " ".join(str(said).split())


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Nothing is ever done to a database of another program."""
    (ours,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and ours != _APPLICATION:
        raise HistoryError(f"{path}: a database, but no history of the harness; name another file")


def _is_history(path: Path) -> bool:
    """Whether a damaged file was a history: by its own name, or by what is left of its header."""
    if path.name == FILE:
        return True
    with path.open("rb") as file:
        header = file.read(72)
    return header[68:] == _APPLICATION.to_bytes(4, "big")


def _put_aside(path: Path, damage: str) -> str:
    """Rename it, the journal with it: left behind, that would be rolled back into the new one."""
    now = datetime.datetime.now(datetime.UTC)
    aside = path.with_name(f"{path.stem}.damaged-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}{path.suffix}")
    for ending in ("-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    path.rename(aside)
    return (
        f"the history {path} is damaged ({damage}): put aside as {aside.name}, and a new one begun; "
        f"`harness history --import {path.parent}` takes in the runs that still lie there"
    )


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    _refuse_foreign(connection, path)
    version = _version(connection)
    if version > len(STEPS):
        raise HistoryError(
            f"{path}: of version {version}, but this harness knows versions up to {len(STEPS)}; "
            "use a newer harness, or another file (HARNESS_HISTORY)"
        )
    if version == len(STEPS):
        return
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before the first table
    with transaction(connection):
        for step in STEPS[version:]:
            for statement in _split(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")


def _split(script: str) -> Iterator[str]:
    """The statements of a script; ``executescript`` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
