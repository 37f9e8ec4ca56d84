"""Temporary folders, files and marks that are locked by the kernel for as long as their process lives.

Another process can so tell what was left by one that was killed. A process id could not: ids are used again,
and mean nothing in another container. Where the file system has no locks, leftovers stay.
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
"""In the name of everything that is locked: what has it and is not locked was left behind."""

TEMPORARY = f"harness-*-{_HELD}????????"
MAKING = f".making-{_HELD}????????"
WRITING = f".writing-{_HELD}????????"
"""Globs of names: in the folder for temporary files, in a folder of the store, of half-written files."""

_TRIALS = 100


@contextlib.contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """A folder for temporary files, removed at the end.

    Raises:
        OSError: no room, no permission.
    """
    with _folder(f"harness-{kind}-{_HELD}", None) as folder:
        yield folder


@contextlib.contextmanager
def making_folder(parent: Path) -> Iterator[Path]:
    """A folder beside the entries of ``parent``, in which one is made; what is still in it at the end goes.

    Raises:
        OSError: no room, no permission.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with _folder(f".making-{_HELD}", parent) as folder:
        yield folder


@contextlib.contextmanager
def writing_file(folder: Path) -> Iterator[tuple[int, Path]]:
    """Descriptor and path of a new file, private to this user; closed at the end, and removed if still there.

    Files of the same kind that were left in the folder are removed first.

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
def mark(path: Path, *, keep: bool = False) -> Iterator[None]:
    """A file that is locked as long as something is going on; ``keep``: it is not removed at the end.

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
    """Whether no living process holds this, which stays so until the end; False as well where it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        yield _lock(descriptor, fcntl.LOCK_NB) and _is_still(path, descriptor)
    finally:
        os.close(descriptor)


def remove_files(found: Iterable[Path]) -> None:
    """Remove those of these files that no living process holds."""
    for path in found:
        with claim(path) as free, contextlib.suppress(OSError):  # in a folder that only others may change
            if free:
                path.unlink()


def is_held(path: Path) -> bool:
    """Whether a living process holds this."""
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
    """Make something and lock it; again where a process that tidies up took it in between."""
    for trial in range(_TRIALS):
        try:
            descriptor, name = make()
        except (FileNotFoundError, FileExistsError):  # the latter: ``mkdir`` found a folder that then went
            if trial == _TRIALS - 1:
                raise
            continue
        _lock(descriptor, 0)
        if _is_still(Path(name), descriptor):
            break
        os.close(descriptor)
    else:
        raise FileNotFoundError(errno.ENOENT, "it was removed as soon as it was made", name)
    return descriptor, Path(name)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
    except OSError:  # somebody has it, or there are no locks on this file system
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
