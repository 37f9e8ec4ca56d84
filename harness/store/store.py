"""The content-addressed store of environments, models, suites and results, shared by all runs of a user."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

from harness import held
from harness.errors import StoreError
from harness.files import OwnedFolder, describe_os_error, list_folder

MARKER = "harness-store.txt"
"""Marks a folder as a store; written before anything else."""

_IN_USE = ".in-use"
_ENTRY_FORMS = {
    "envs": r"[0-9a-f]{20}",
    "models": r"[A-Za-z0-9.]+(-[A-Za-z0-9.]+)*-[0-9][A-Za-z0-9.]*-[A-Za-z0-9.-]+",
    "suite": r"[0-9a-f]{16}",
    "results": r"[0-9a-f]{64}",
    "converted": r"[0-9a-f]{20}",
}
"""Folder -> form of the names of its entries; nothing else is ever moved or removed."""

_OTHER_FORMS = {
    "unfinished": r"[^.].*",
    "locks": r"(env|model|suite|result|converted)-.+\.lock|latency\.lock",
    "aside": r".+-[0-9]+-[0-9]+",
}
_CHECKED = r"checked-[0-9a-f]{16}\.json(\.seal)?"
_MARK = r"[0-9a-f]{16}|[0-9]+-[0-9]+"  # the second form is of versions without locks
_OLD_MAKING = r"\.making-[a-z0-9_]{8}"
_AGE_SECONDS = 24 * 3600.0
_SILENT_SECONDS = 1.0


@dataclass(frozen=True)
class Store:
    """The folder of a store; several harness processes may use it at once."""

    root: Path

    @classmethod
    def default(cls) -> Store:
        """The default store of this user."""
        return cls(Path(platformdirs.user_cache_dir("embedding-parity-harness")))

    @property
    def environments(self) -> Path:
        """One folder per lock."""
        return self.root / "envs"

    @property
    def models(self) -> Path:
        """One folder per model."""
        return self.root / "models"

    @property
    def suites(self) -> Path:
        """One folder per snapshot of the suite."""
        return self.root / "suite"

    @property
    def results(self) -> Path:
        """One folder per key."""
        return self.root / "results"

    @property
    def converted(self) -> Path:
        """One folder per converted model."""
        return self.root / "converted"

    @property
    def unfinished(self) -> Path:
        """One mark per unfinished run."""
        return self.root / "unfinished"

    @property
    def aside(self) -> Path:
        """Entries that are being removed."""
        return self.root / "aside"

    @property
    def locks(self) -> Path:
        """One lock file per entry."""
        return self.root / "locks"

    @property
    def is_claimed(self) -> bool:
        """Whether the folder is marked as a store."""
        return (self.root / MARKER).is_file()

    def refuse_foreign(self) -> None:
        """Refuse a folder that is not a store and cannot become one; nothing is written.

        Raises:
            UsageError: the folder holds foreign files.
            StoreError: the folder cannot be read.
        """
        try:
            STORE.refuse_foreign(self.root)
        except OSError as error:
            raise _explain(error) from error

    def claim(self) -> None:
        """Mark the folder as a store, before anything is written or removed.

        Raises:
            UsageError: the folder holds foreign files.
            StoreError: the folder cannot be written to.
        """
        try:
            STORE.claim(self.root)
        except OSError as error:
            raise _explain(error) from error

    @contextlib.asynccontextmanager
    async def lock(self, name: str, say_waiting: Callable[[], None] | None = None) -> AsyncIterator[None]:
        """Lock one entry against other harness processes; ``say_waiting`` is called before a longer wait.

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
                if say_waiting is not None:
                    say_waiting()
                await lock.acquire(poll_interval=0.1)
        except OSError as error:
            raise _explain(error) from error
        try:
            yield
        finally:
            await lock.release()

    @contextlib.contextmanager
    def using(self, entry: Path) -> Iterator[None]:
        """Mark an entry as in use by this process, so that ``clean`` leaves it alone."""
        with contextlib.ExitStack() as stack:
            stack.callback(remove_marks, entry)  # the folder of the marks, unless another process uses it
            with held.exclusive(entry.parent):
                stack.enter_context(held.mark(marks_of(entry) / secrets.token_hex(8)))
            os.utime(entry)  # the time of its last use
            yield

    def hold(self, stack: contextlib.AsyncExitStack, entry: Path) -> None:
        """Mark an entry as in use until a stack is closed; the lock of the entry must be held.

        Raises:
            StoreError: the store cannot be written to.
        """
        try:
            stack.enter_context(self.using(entry))
        except OSError as error:
            raise _explain(error) from error

    def remove_entry(self, entry: Path) -> None:
        """Rename an entry out of its place atomically, then remove it.

        Raises:
            StoreError: the path is not an entry of the store.
        """
        if not self.owns(entry):
            raise StoreError(f"{entry}: not created by the harness, so it is not removed; move it away")
        with held.making_folder(self.aside) as aside:
            entry.rename(aside / entry.name)

    def owns(self, entry: Path) -> bool:
        """Whether a path is an entry of this store, and not a link."""
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
        """The entries in a folder of the store, by name."""
        yield from (path for path in _list_real(folder) if self.owns(path))

    def making(self) -> Iterator[Path]:
        """The temporary folders in which entries are built or removed, each locked by its process."""
        for folder in (*map(self.root.joinpath, _ENTRY_FORMS), self.aside):
            yield from (path for path in _list_real(folder) if fnmatch.fnmatchcase(path.name, held.MAKING))

    def half_written(self) -> Iterator[Path]:
        """The half-written files, each locked by its process."""
        for folder in (self.root, self.models, self.unfinished):
            yield from folder.glob(held.WRITING) if _is_real_folder(folder) else ()
        for folder in (self.environments, self.converted, self.results):
            for entry in self.entries(folder):
                yield from entry.glob(held.WRITING)
                yield from entry.glob(f"latency-*/{held.WRITING}")

    def marked(self) -> Iterator[Path]:
        """The entries with marks of living or killed processes."""
        for name, form in _ENTRY_FORMS.items():
            for path in _list_real(self.root / name):
                entry = path.with_name(path.name.removesuffix(_IN_USE))
                if is_mark(path) and _has_form(entry, form):
                    yield entry

    def unlocked_leftovers(self) -> Iterator[Path]:
        """Leftover folders of versions without locks, those under construction only after a day."""
        yield from (path for path in _list_real(self.aside) if _has_form(path, _OTHER_FORMS["aside"]))
        for name in _ENTRY_FORMS:
            for path in _list_real(self.root / name):
                if _has_form(path, _OLD_MAKING) and _is_stale(path):
                    yield path

    def run_marks(self) -> Iterator[Path]:
        """The marks of running and interrupted runs."""
        for path in _list_real(self.unfinished):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                empty = _is_real_file(path) and not path.stat().st_size
                if empty and _has_form(path, _OTHER_FORMS["unfinished"]):
                    yield path

    def notes(self) -> Iterator[Path]:
        """The marks of the last checks of models."""
        for path in _list_real(self.models):
            if _has_form(path, _CHECKED) and _is_real_file(path):
                yield path


def marks_of(entry: Path) -> Path:
    """The folder with one mark per process that uses an entry."""
    return entry.with_name(f"{entry.name}{_IN_USE}")


def is_mark(path: Path) -> bool:
    """Whether a path is a folder of marks instead of an entry."""
    return path.name.endswith(_IN_USE)


def is_in_use(entry: Path) -> bool:
    """Whether a living process uses the entry."""
    found = _list_real(marks_of(entry))
    return any(held.is_held(mark) for mark in found if _has_form(mark, _MARK))


def remove_marks(entry: Path) -> None:
    """Remove the marks of killed processes from an entry."""
    marks = marks_of(entry)
    with contextlib.suppress(OSError), held.exclusive(entry.parent):  # in use, not empty, or missing
        found = (each for each in _list_real(marks) if _has_form(each, _MARK))
        held.remove_files(each for each in found if _is_real_file(each))
        marks.rmdir()


def _is_stale(path: Path) -> bool:
    """Whether a temporary folder is older than a day."""
    return time.time() - path.lstat().st_mtime > _AGE_SECONDS


def _find_foreign(root: Path) -> Path | None:
    """The first entry of an unmarked folder that no store can contain; None for a store without a marker."""
    evidence = False
    for folder in list_folder(root, MARKER):
        form = _ENTRY_FORMS.get(folder.name) or _OTHER_FORMS.get(folder.name)
        if form is None or not _is_real_folder(folder):
            return folder
        for path in list_folder(folder):
            if not _is_of_store(path, form):
                return path
            # A digest or a lock proves a store; the name of a model does not.
            evidence |= folder.name not in {"models", "unfinished", "aside"} or _has_form(path, _CHECKED)
    return None if evidence else next(list_folder(root, MARKER), None)


def _is_of_store(path: Path, form: str) -> bool:
    if path.parent.name in {"unfinished", "locks"}:
        return _has_form(path, form) and _is_real_file(path)
    if path.parent.name == "models" and _has_form(path, _CHECKED):
        return _is_real_file(path)
    name = path.name.removesuffix(_IN_USE)
    known = path.name.startswith(".making-") or re.fullmatch(form, name) is not None
    return known and _is_real_folder(path) and (path.parent.name != "results" or _holds_results(path))


def _holds_results(folder: Path) -> bool:
    """Whether nothing lies in the folder of a key but what a sweep keeps there."""
    form = r"(contract|result)\.json(\.seal)?|(log\.txt|benchmark\.json)(\.seal)?|latency-[0-9a-f]{16}"
    return all(_has_form(path, form) or path.name.startswith(".") for path in list_folder(folder))


def _has_form(path: Path, form: str) -> bool:
    return re.fullmatch(form, path.name) is not None


def _list_real(folder: Path) -> Iterator[Path]:
    """The entries of a folder, unless it is a link."""
    yield from list_folder(folder) if _is_real_folder(folder) else ()


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_real_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _explain(error: OSError) -> StoreError:
    return StoreError(f"the store cannot be used: {describe_os_error(error)}; name another with --store")


STORE = OwnedFolder(MARKER, "a store of embedding-parity-harness", _find_foreign)
