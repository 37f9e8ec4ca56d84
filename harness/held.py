"""Temporary folders, files and marks, each locked by the kernel (flock) for the lifetime of its process.

The lock tells other processes which of them a killed process has left behind. Process ids cannot: they are
reused, and differ between containers. On a file system without locks leftovers stay.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_HELD = "held-"
"""Part of the name of everything that is locked; an unlocked entry with it is a leftover."""

TEMPORARY = f"harness-*-{_HELD}????????"
MAKING = f".making-{_HELD}????????"
WRITING = f".writing-{_HELD}????????"
"""Globs of names: temporary folders, entries of the store under construction, half-written files."""

_TRIALS = 100  # only for what is made outside ``exclusive``, where another process may clean in between


@contextlib.contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """A folder for temporary files, removed on exit.

    Raises:
        OSError: no room, no permission.
    """
    with _folder(f"harness-{kind}-{_HELD}", None) as folder:
        yield folder


@contextlib.contextmanager
def making_folder(parent: Path) -> Iterator[Path]:
    """A folder inside ``parent`` in which a new entry is built; removed with its remaining content on exit.

    Raises:
        OSError: no room, no permission.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with _folder(f".making-{_HELD}", parent) as folder:
        yield folder


@contextlib.contextmanager
def writing_file(folder: Path) -> Iterator[tuple[int, Path]]:
    """Descriptor and path of a new file, private to this user; closed on exit, and removed if still there.

    Leftovers of this kind in the folder are removed first.

    Raises:
        OSError: no room, no permission.
    """
    remove_files(folder.glob(WRITING))
    descriptor, path = _make_held(lambda: tempfile.mkstemp(dir=folder, prefix=f".writing-{_HELD}"))
    try:
        yield descriptor, path
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a folder that is never removed, while something in it is created and locked, or removed.

    Without it a process that removes in a loop can win every time: the creator waits for the lock of a file
    that is gone when it gets it.

    Raises:
        OSError: no such folder, no permission.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor, 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def mark(path: Path, *, keep: bool = False) -> Iterator[None]:
    """A file that is locked inside the context; ``keep``: the file stays after it.

    Raises:
        OSError: no room, no permission.
    """

    def make() -> tuple[int, str]:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), str(path)

    descriptor, _ = _make_held(make)
    try:
        yield
    finally:
        if not keep:
            path.unlink(missing_ok=True)
        os.close(descriptor)


@contextlib.contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Lock a leftover: True if no living process holds it, for the whole context; False if it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        yield _lock(descriptor, fcntl.LOCK_NB) and _is_same_file(path, descriptor)
    finally:
        os.close(descriptor)


def remove_files(found: Iterable[Path]) -> None:
    """Remove the files that no living process holds."""
    for path in found:
        with claim(path) as free, contextlib.suppress(OSError):  # the folder may be writable to others only
            if free:
                path.unlink()


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock of this path."""
    with claim(path) as free:
        return not free and path.exists()


@contextlib.contextmanager
def _folder(prefix: str, parent: Path | None) -> Iterator[Path]:
    def make() -> tuple[int, str]:
        name = tempfile.mkdtemp(dir=parent, prefix=prefix)
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), name

    descriptor, folder = _make_held(make)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make_held(make: Callable[[], tuple[int, str]]) -> tuple[int, Path]:
    """Create and lock a file or folder; repeated if another process cleaned it up in between."""
    for trial in range(_TRIALS):
        try:
            descriptor, name = make()
        except (FileNotFoundError, FileExistsError):  # the latter: ``mkdir`` found a folder that then went
            if trial == _TRIALS - 1:
                raise
            continue
        _lock(descriptor, 0)
        if _is_same_file(Path(name), descriptor):
            break
        os.close(descriptor)
    else:
        raise FileNotFoundError(errno.ENOENT, "it was removed as soon as it was created", name)
    return descriptor, Path(name)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
    except OSError:  # another process has the lock, or the file system has no locks
        return False
    return True


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
