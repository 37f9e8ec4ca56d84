"""The content-addressed store: where environments, models, suites and results live between runs."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

from harness import held
from harness.errors import StoreError
from harness.files import describe_os_error

_IN_USE = ".in-use"
_AGE_SECONDS = 24 * 3600.0
_SILENT_SECONDS = 1.0


def _keep_quiet() -> None:
    """Nobody is told that another process has the lock."""


@dataclass(frozen=True)
class Store:
    """One folder that several harness processes may share at once."""

    root: Path

    @classmethod
    def default(cls) -> Store:
        """The store of this user."""
        return cls(Path(platformdirs.user_cache_dir("embedding-parity-harness")))

    @property
    def environments(self) -> Path:
        """One folder a lock."""
        return self.root / "envs"

    @property
    def models(self) -> Path:
        """One folder a model."""
        return self.root / "models"

    @property
    def suites(self) -> Path:
        """One folder a snapshot of the suite."""
        return self.root / "suite"

    @property
    def results(self) -> Path:
        """One folder a key."""
        return self.root / "results"

    @property
    def converted(self) -> Path:
        """One folder a converted model."""
        return self.root / "converted"

    @property
    def unfinished(self) -> Path:
        """One mark a run that was begun and not ended."""
        return self.root / "unfinished"

    @property
    def aside(self) -> Path:
        """What is being removed."""
        return self.root / "aside"

    @property
    def locks(self) -> Path:
        """One file a lock; there is one as soon as a store has been used."""
        return self.root / "locks"

    @contextlib.asynccontextmanager
    async def lock(self, name: str, say_waiting: Callable[[], None] = _keep_quiet) -> AsyncIterator[None]:
        """Keep other harness processes away from one entry; wait for one that has it, and say so.

        Raises:
            StoreError: the store cannot be written to.
        """
        path = self.locks / f"{name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = filelock.AsyncFileLock(path)
            try:
                await lock.acquire(timeout=_SILENT_SECONDS, poll_interval=0.1)
            except filelock.Timeout:
                say_waiting()
                await lock.acquire(poll_interval=0.1)
        except OSError as error:
            raise StoreError(
                f"the store cannot be used: {describe_os_error(error)}; name another with --store"
            ) from error
        try:
            yield
        finally:
            await lock.release()

    @contextlib.contextmanager
    def using(self, entry: Path) -> Iterator[None]:
        """Mark an entry as in use by this process, so that ``clean`` leaves it alone."""
        marks = marks_of(entry)
        try:
            with held.mark(marks / secrets.token_hex(8)):
                os.utime(entry)  # the stamp of its last use
                yield
        finally:
            with contextlib.suppress(OSError):  # another process uses it too
                marks.rmdir()

    def put_aside(self, entry: Path) -> None:
        """Take an entry out of use at once, then remove it."""
        with held.making_folder(self.aside) as aside:
            entry.rename(aside / entry.name)


def marks_of(entry: Path) -> Path:
    """The folder with one mark for each process that uses an entry."""
    return entry.with_name(f"{entry.name}{_IN_USE}")


def is_mark(path: Path) -> bool:
    """Whether this is no entry, but the marks of those who use one."""
    return path.name.endswith(_IN_USE)


def is_in_use(entry: Path) -> bool:
    """Whether a living process has marked the entry."""
    marks = marks_of(entry)
    return marks.is_dir() and any(map(held.is_held, marks.iterdir()))


def is_stale(path: Path) -> bool:
    """Whether something that was begun under a temporary name has been left lying for a day."""
    return time.time() - path.stat().st_mtime > _AGE_SECONDS
