"""Files that are whole or not there, full disks, checked paths, and digests of folders."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import hashlib
import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import UsageError
from harness.held import TEMPORARY, WRITING, writing_file
from harness.redaction import redact

_CHUNK = 1024 * 1024
_FULL_BYTES = 64 * 1024

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NUMBERS = "|".join(map(str, _FULL))
_SAYS_FULL = re.compile(
    rf"os error (?:{_NUMBERS})\b|\[Errno (?:{_NUMBERS})\]|No space left on device|Disk quota exceeded"
)
_PATHS = (
    re.compile(rf"`([^`]+)`: [^`:]*\(os error (?:{_NUMBERS})\)"),
    re.compile(rf" (/[^\s'`]+): [^`:]*\(os error (?:{_NUMBERS})\)"),
    re.compile(r"(?:No space left on device|Disk quota exceeded): '([^']+)'"),
)
"""As uv (Rust) and Python write them; uv quotes a path or does not."""

LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave in every folder that somebody has looked into."""


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees all of it or what was there before, also after a power cut.

    Raises:
        OSError: no room, no permission.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing_file(path.parent) as (descriptor, temporary):
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            temporary.chmod(mode)
            temporary.replace(path)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the operating system name this path, where they name none: a full disk alone says little."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write what people and other programs read: whole, UTF-8, without the credentials of addresses.

    Raises:
        OSError: no room, no permission.
    """
    write_whole(path, redact(text).encode())


def describe_os_error(error: OSError | sqlite3.Error, place: Path | None = None) -> str:
    """An error of the operating system in words; of a full disk only that, with the path."""
    return find_no_space(error, place) or str(error)


def find_no_space(told: OSError | sqlite3.Error | str, place: Path | None = None) -> str:
    """``no space left on device: PATH`` where an error, or what a program printed, means that; else empty.

    ``place`` is named where the error names no path.
    """
    path: object = None
    if isinstance(told, OSError):
        full, path = told.errno in _FULL, told.filename2 or told.filename
    elif isinstance(told, sqlite3.Error):
        full = getattr(told, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    else:
        full = _SAYS_FULL.search(told) is not None
        path = next((found[1] for pattern in _PATHS if (found := pattern.search(told))), None)
    if not full:
        return ""
    where = os.fsdecode(path) if isinstance(path, bytes) else path or place
    return f"no space left on device: {where}" if where else "no space left on device"


def find_full_disk(*folders: Path) -> str:
    """``no space left on device: PATH`` of the first folder whose disk is full; empty if there is none.

    For a program that ended without a word: on a full disk its last words are lost.
    """
    for folder in folders:
        with contextlib.suppress(OSError):
            if shutil.disk_usage(folder).free < _FULL_BYTES:
                return f"no space left on device: {folder}"
    return ""


def copy_whole(source: Path, target: Path) -> bool:
    """Copy a text file the same way, without the credentials in it; False where there is no regular file."""
    if source.is_symlink() or not source.is_file():  # a FIFO would be waited for, a link may lead anywhere
        return False
    write_whole(target, _redact_bytes(source.read_bytes()))
    return True


def redact_file(path: Path) -> None:
    """Take the credentials out of a text file that another program wrote; nothing where there is none."""
    if path.is_symlink() or not path.is_file():  # a cell may have put a FIFO or a link there
        return
    data = path.read_bytes()
    plain = _redact_bytes(data)
    if plain != data:
        write_whole(path, plain)


def _redact_bytes(data: bytes) -> bytes:
    return redact(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def write_output(path: Path, data: bytes) -> None:
    """Write to what a person named: a regular file whole, also behind a link, anything else as it is.

    Raises:
        UsageError: it is nothing that text can be written to: a folder, a socket, a block device.
        OSError: no room, no permission.
    """
    descriptor = _find_descriptor(path)
    if descriptor is not None:  # of a shell's `>>`, for example: its file is not to be replaced
        _write_through(descriptor, path, data)
        return
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        write_whole(target, data)
        return
    if stat.S_ISREG(mode):
        write_whole(target, data, mode=stat.S_IMODE(mode))
    elif stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        with target.open("wb", buffering=0) as file:
            file.write(data)
    else:
        raise UsageError(f"{path}: neither a file nor a pipe; name one of these, or - for standard output")


def _find_descriptor(path: Path) -> int | None:
    """The open file of this process that a path such as ``/dev/stdout`` or ``/dev/fd/3`` stands for."""
    folders = (Path("/dev/fd"), Path(f"/proc/{os.getpid()}/fd"))
    for _ in range(8):
        if path.name.isascii() and path.name.isdigit() and path.parent.resolve() in folders:
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


def _write_through(descriptor: int, path: Path, data: bytes) -> None:
    try:
        copy = os.dup(descriptor)
    except (OSError, OverflowError):
        raise UsageError(f"{path}: this process has no such open file") from None
    with os.fdopen(copy, "wb") as file:
        file.write(data)


def fault_below(name: str) -> str:
    """Why a text is not the path of something below a folder, in words; empty where it is one."""
    path = PurePosixPath(name)
    if "\0" in name:
        return "holds a NUL character"
    if path.is_absolute():
        return "is an absolute path"
    if ".." in path.parts:
        return "leaves the folder by '..'"
    return "" if name.strip() and path.parts else "names the folder itself"


def inside(root: Path, name: str, where: str) -> Path:
    """The path ``name`` below the folder ``root``, which it leaves neither by its text nor by a link.

    Args:
        root: the folder.
        name: a relative path, as a file has it.
        where: for the message: the file that has it, and the key.

    Raises:
        UsageError: it leads out of the folder, or is the folder.
    """
    if fault := fault_below(name):
        raise UsageError(f"{where}: {name!r} {fault}; a path below {root} is expected")
    path = root / name
    found = Path(os.path.realpath(path))
    if not found.is_relative_to(os.path.realpath(root)):
        raise UsageError(f"{where}: {name!r} leads out of {root}, to {found}")
    return path


@dataclass(frozen=True)
class Owned:
    """A kind of folder of the harness's own, in which alone it writes and removes.

    Attributes:
        marker: name of the file that marks one.
        what: it is, for the marker and for messages.
        find_foreign: what shows that a folder with something in it and no marker is none, if anything does.
    """

    marker: str
    what: str
    find_foreign: Callable[[Path], Path | None]

    def is_marked(self, folder: Path) -> bool:
        """Whether a folder holds the marker, with the text that the harness writes into it."""
        path = folder / self.marker
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(self._text.encode()) + 1) == self._text.encode()

    @property
    def _text(self) -> str:
        return f"This folder is {self.what}, which makes and removes what lies in it.\n"

    def refuse_foreign(self, folder: Path) -> None:
        """Refuse a folder that could not be claimed; nothing is written.

        Raises:
            UsageError: something else lies in it.
            OSError: it cannot be read.
        """
        if self.is_marked(folder):
            return
        if os.path.lexists(folder / self.marker):
            foreign: Path | None = folder / self.marker
        else:
            there = any(True for _ in list_folder(folder, self.marker))
            foreign = self.find_foreign(folder) if there else None
        if foreign is not None and not self.is_marked(folder):  # made by another process just now
            raise UsageError(
                f"{folder}: not {self.what}: {foreign.relative_to(folder)} in it is something else; "
                "nothing was changed; name another folder, or an empty one"
            )

    def claim(self, folder: Path) -> None:
        """Mark a folder, before anything is written into it or removed from it.

        One that is not there, or is empty, becomes the harness's own; so does one that it made before it
        wrote markers.

        Raises:
            UsageError: something else lies in it.
            OSError: no room, no permission.
        """
        self.refuse_foreign(folder)
        if not self.is_marked(folder):
            write_whole(folder / self.marker, self._text.encode())


def list_folder(folder: Path, marker: str = "") -> Iterator[Path]:
    """What lies in a folder, by name, but for litter, a marker and half-written files; it may be gone."""
    try:
        found = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    for path in found:
        half = fnmatch.fnmatchcase(path.name, WRITING)
        if path.name not in LITTER and path.name != marker and not half:
            yield path


def walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder but bytecode, litter and temporary folders of the harness, in a fixed order.

    Each comes with its relative path.
    """
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name != "__pycache__" and not fnmatch.fnmatchcase(name, TEMPORARY)
        )
        for name in sorted(names):
            if not name.endswith(".pyc") and name not in LITTER:
                path = Path(place, name)
                yield path.relative_to(folder).as_posix(), path


def hash_file(path: Path) -> str:
    """Sha256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_tree(*roots: Path, suffix: str = "") -> str:
    """Sha256 over relative paths and contents of all files below the roots, which may be files or missing."""
    digest = hashlib.sha256()
    for root in roots:
        files = walk_files(root) if root.is_dir() else [(root.name, root)] if root.is_file() else []
        for name, path in files:
            if name.endswith(suffix) and path.is_file():  # reading a FIFO would never end
                digest.update(f"{name}\0{hash_file(path)}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def stat_tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Size in bytes and time of change in ns of every file below a folder; links are not followed."""
    found = {}
    for name, path in walk_files(folder):
        status = path.lstat()
        found[name] = (status.st_size, status.st_mtime_ns)
    return found


def remove_tree(folder: Path) -> None:
    """Remove a folder as far as possible; what cannot be removed is left for the next ``clean``."""
    shutil.rmtree(folder, ignore_errors=True)
