"""The content-addressed store: where environments, models, suites and results live between runs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs
import psutil

from harness.errors import StoreError
from harness.files import Owned, list_folder, remove_tree

MARKER = "harness-store.txt"
"""Tells a store from any other folder; written before anything else."""

_IN_USE = ".in-use"
_MAKING = ".making-"
_ENTRY_FORMS = {
    "envs": r"[0-9a-f]{20}",
    "models": r"[A-Za-z0-9.]+(-[A-Za-z0-9.]+)*-[0-9][A-Za-z0-9.]*-[A-Za-z0-9.-]+",
    "suite": r"[0-9a-f]{16}",
    "results": r"[0-9a-f]{64}",
    "converted": r"[0-9a-f]{20}",
}
"""Folder -> what the folders in it are called; nothing else is ever moved or removed."""

_OTHER_FORMS = {
    "unfinished": r"[^.].*",
    "locks": r"(env|model|suite|result|converted)-.+\.lock|latency\.lock",
    "aside": r".+-[0-9]+-[0-9]+",
}
_CHECKED = r"checked-[0-9a-f]{16}\.json(\.seal)?"
_MARK = r"[0-9]+-[0-9]+"
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

    def refuse_foreign(self) -> None:
        """Refuse a folder that is no store and cannot become one; nothing is written.

        Raises:
            UsageError: something else lies in it.
            StoreError: it cannot be read.
        """
        try:
            STORE.refuse_foreign(self.root)
        except OSError as error:
            raise StoreError(f"the store cannot be used: {error}; name another with --store") from error

    def claim(self) -> None:
        """Mark the folder as a store, before anything is written or removed.

        Raises:
            UsageError: something else lies in it.
            StoreError: it cannot be written to.
        """
        try:
            STORE.claim(self.root)
        except OSError as error:
            raise StoreError(f"the store cannot be used: {error}; name another with --store") from error

    @contextlib.asynccontextmanager
    async def lock(self, name: str, say_waiting: Callable[[], None] = _keep_quiet) -> AsyncIterator[None]:
        """Keep other harness processes away from one entry; wait for one that has it, and say so.

        Raises:
            StoreError: the store cannot be written to.
        """
        path = self.root / "locks" / f"{name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = filelock.AsyncFileLock(path)
            try:
                await lock.acquire(timeout=_SILENT_SECONDS, poll_interval=0.1)
            except filelock.Timeout:
                say_waiting()
                await lock.acquire(poll_interval=0.1)
        except OSError as error:
            raise StoreError(f"the store cannot be used: {error}; name another with --store") from error
        try:
            yield
        finally:
            await lock.release()

    @contextlib.contextmanager
    def using(self, entry: Path) -> Iterator[None]:
        """Mark an entry as in use by this process, so that ``clean`` leaves it alone."""
        mark = marks_of(entry) / f"{os.getpid()}-{time.monotonic_ns()}"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        os.utime(entry)  # the stamp of its last use
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another process uses it too
                mark.parent.rmdir()

    def put_aside(self, entry: Path) -> None:
        """Take an entry out of use at once, then remove it.

        Raises:
            StoreError: it is nothing that the harness has made.
        """
        if not self.owns(entry):
            raise StoreError(f"{entry}: not made by the harness, so it is left there; move it away")
        aside = self.root / "aside" / f"{entry.name}-{os.getpid()}-{time.monotonic_ns()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        entry.rename(aside)
        remove_tree(aside)

    def owns(self, entry: Path) -> bool:
        """Whether a path is a folder that the harness has made in this store, and no link."""
        form = _ENTRY_FORMS.get(entry.parent.name)
        return (
            form is not None
            and entry.parent.parent == self.root
            and _is_real_folder(entry.parent)
            and _is_real_folder(entry)
            and re.fullmatch(form, entry.name) is not None
            and not is_mark(entry)
        )

    def entries(self, folder: Path) -> Iterator[Path]:
        """The entries in one of its folders, by name."""
        yield from (path for path in list_folder(folder) if self.owns(path))

    def leavings(self) -> Iterator[Path]:
        """Folders that were put aside, or begun a day ago and never finished."""
        aside = self.root / "aside"
        if _is_real_folder(aside):
            yield from (path for path in list_folder(aside) if _has_form(path, _OTHER_FORMS["aside"]))
        for name in _ENTRY_FORMS:
            folder = self.root / name
            made = list_folder(folder) if _is_real_folder(folder) else ()
            yield from (path for path in made if path.name.startswith(_MAKING) and is_stale(path))

    def notes(self) -> Iterator[Path]:
        """Marks of runs that were cut off a day ago, and what is known of the files of models."""
        for path in list_folder(self.unfinished) if _is_real_folder(self.unfinished) else ():
            empty = _is_real_file(path) and not path.stat().st_size
            if empty and _has_form(path, _OTHER_FORMS["unfinished"]) and is_stale(path):
                yield path  # a younger one may be of a run that goes on
        for path in list_folder(self.models) if _is_real_folder(self.models) else ():
            if _has_form(path, _CHECKED) and _is_real_file(path):
                yield path


def marks_of(entry: Path) -> Path:
    """The folder with one mark for each process that uses an entry."""
    return entry.with_name(f"{entry.name}{_IN_USE}")


def is_mark(path: Path) -> bool:
    """Whether this is no entry, but the marks of those who use one."""
    return path.name.endswith(_IN_USE)


def is_in_use(entry: Path) -> bool:
    """Whether a living process has marked the entry."""
    marks = marks_of(entry)
    found = marks.iterdir() if marks.is_dir() else ()
    return any(psutil.pid_exists(int(each.name.split("-")[0])) for each in found if _has_form(each, _MARK))


def remove_marks(entry: Path) -> None:
    """Remove the marks of processes that were killed while they used an entry."""
    marks = marks_of(entry)
    for mark in marks.iterdir() if _is_real_folder(marks) else ():
        if _has_form(mark, _MARK) and _is_real_file(mark):
            mark.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something else lies in it, or there is none
        marks.rmdir()


def is_stale(path: Path) -> bool:
    """Whether something that was begun under a temporary name has been left lying for a day."""
    return time.time() - path.lstat().st_mtime > _AGE_SECONDS


def _find_foreign(root: Path) -> Path | None:
    """What shows that a folder without a marker is no store of before there were any, if anything does."""
    evidence = False
    for folder in list_folder(root, MARKER):
        form = _ENTRY_FORMS.get(folder.name) or _OTHER_FORMS.get(folder.name)
        if form is None or not _is_real_folder(folder):
            return folder
        for path in list_folder(folder):
            if not _is_of_store(path, form):
                return path
            # The name of a model could be anybody's; a digest, or a lock, could not.
            evidence |= folder.name not in {"models", "unfinished", "aside"} or _has_form(path, _CHECKED)
    return None if evidence else next(list_folder(root, MARKER), None)


def _is_of_store(path: Path, form: str) -> bool:
    if path.parent.name in {"unfinished", "locks"}:
        return _has_form(path, form) and _is_real_file(path)
    if path.parent.name == "models" and _has_form(path, _CHECKED):
        return _is_real_file(path)
    name = path.name.removesuffix(_IN_USE)
    known = name.startswith(_MAKING) or re.fullmatch(form, name) is not None
    return known and _is_real_folder(path)


def _has_form(path: Path, form: str) -> bool:
    return re.fullmatch(form, path.name) is not None


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_real_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


STORE = Owned(MARKER, "a store of embedding-parity-harness", _find_foreign)
