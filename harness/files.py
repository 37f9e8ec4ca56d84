"""Atomic writing, detection of full disks, checked paths, owned folders, and digests of files."""

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
from harness.redaction import NO_SECRETS, Secrets, redact

_CHUNK = 1024 * 1024
_FULL_BYTES = 64 * 1024

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NUMBERS = "|".join(map(str, _FULL))
_FULL_TEXT = re.compile(
    rf"os error (?:{_NUMBERS})\b|\[Errno (?:{_NUMBERS})\]|No space left on device|Disk quota exceeded"
)
_PATHS = (
    re.compile(rf"`([^`]+)`: [^`:]*\(os error (?:{_NUMBERS})\)"),
    re.compile(rf" (/[^\s'`]+): [^`:]*\(os error (?:{_NUMBERS})\)"),
    re.compile(r"(?:No space left on device|Disk quota exceeded): '([^']+)'"),
)
"""Where uv (Rust) and Python name the path in such a message; uv may or may not quote it."""

LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that file managers create in every folder they display."""


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace a file atomically and durably: a reader sees the new or the old content, after a power cut too.

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
    """Add this path to any error of the operating system that names none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, without the credentials of addresses.

    Raises:
        OSError: no room, no permission.
    """
    write_whole(path, redact(text).encode())


def describe_os_error(error: OSError | sqlite3.Error, place: Path | None = None) -> str:
    """The message of an error of the operating system; for a full disk ``no space left on device: PATH``."""
    return find_no_space(error, place) or str(error)


def find_no_space(report: OSError | sqlite3.Error | str, place: Path | None = None) -> str:
    """``no space left on device: PATH`` if an error, or the output of a program, means that; else empty.

    ``place`` is the path of the message if the error has none.
    """
    path: object = None
    if isinstance(report, OSError):
        full, path = report.errno in _FULL, report.filename2 or report.filename
    elif isinstance(report, sqlite3.Error):
        full = getattr(report, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    else:
        full = _FULL_TEXT.search(report) is not None
        path = next((found[1] for pattern in _PATHS if (found := pattern.search(report))), None)
    if not full:
        return ""
    where = os.fsdecode(path) if isinstance(path, bytes) else path or place
    return f"no space left on device: {where}" if where else "no space left on device"


def find_full_disk(*folders: Path) -> str:
    """``no space left on device: PATH`` for the first folder on a full disk; empty if there is none.

    This explains a program that ended without a message: a full disk loses its last output.
    """
    for folder in folders:
        with contextlib.suppress(OSError):
            if shutil.disk_usage(folder).free < _FULL_BYTES:
                return f"no space left on device: {folder}"
    return ""


def copy_whole(source: Path, target: Path, secrets: Secrets = NO_SECRETS) -> bool:
    """Copy a text file atomically, without credentials; False if the source is no regular file."""
    if source.is_symlink() or not source.is_file():  # reading a FIFO would block; a link may lead anywhere
        return False
    write_whole(target, _redact_bytes(source.read_bytes(), secrets))
    return True


def take_file(source: Path, target: Path) -> None:
    """Copy a file that a cell has made, atomically; does nothing where there is none, or a link or a device.

    Raises:
        OSError: no room, no permission.
    """
    try:  # a link may lead anywhere, and opening a FIFO would block
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    with os.fdopen(descriptor, "rb") as made, naming(target):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            with writing_file(target.parent) as (copied, temporary):
                with os.fdopen(copied, "wb", closefd=False) as copy:
                    shutil.copyfileobj(made, copy)
                temporary.chmod(0o644)
                temporary.replace(target)


def redact_file(path: Path, secrets: Secrets = NO_SECRETS) -> None:
    """Remove the credentials from a text file that another program wrote; does nothing without a file."""
    if path.is_symlink() or not path.is_file():  # a cell may have created a FIFO or a link there
        return
    data = path.read_bytes()
    redacted = _redact_bytes(data, secrets)
    if redacted != data:
        write_whole(path, redacted)


def _redact_bytes(data: bytes, secrets: Secrets) -> bytes:
    text = secrets.hide(data.decode(errors="surrogateescape"))
    return redact(text).encode(errors="surrogateescape")


def write_output(path: Path, data: bytes) -> None:
    """Write to a path that the user named: files (also behind a link) atomically, pipes and devices directly.

    Raises:
        UsageError: the path cannot take text: a folder, a socket, a block device.
        OSError: no room, no permission.
    """
    descriptor = _find_descriptor(path)
    if descriptor is not None:  # such as the target of a shell's `>>`, which must not be replaced
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
        raise UsageError(f"{path}: expected a file, a pipe, or - for standard output")


def _find_descriptor(path: Path) -> int | None:
    """The descriptor of this process behind a path such as ``/dev/stdout`` or ``/dev/fd/3``."""
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
    """Why a text is not a relative path below a folder; empty if it is one."""
    path = PurePosixPath(name)
    if "\0" in name:
        return "holds a NUL character"
    if path.is_absolute():
        return "is an absolute path"
    if ".." in path.parts:
        return "leaves the folder by '..'"
    return "" if name.strip() and path.parts else "names the folder itself"


def inside(root: Path, name: str, where: str) -> Path:
    """The path ``name`` below the folder ``root``; neither ``..`` nor a link may lead out of the folder.

    Args:
        root: the folder.
        name: a relative path from a file.
        where: the file and the key that hold it, for the message.

    Raises:
        UsageError: the path leads out of the folder, or is the folder itself.
    """
    if fault := fault_below(name):
        raise UsageError(f"{where}: {name!r} {fault}; a path below {root} is expected")
    path = root / name
    found = Path(os.path.realpath(path))
    if not found.is_relative_to(os.path.realpath(root)):
        raise UsageError(f"{where}: {name!r} leads out of {root}, to {found}")
    return path


@dataclass(frozen=True)
class OwnedFolder:
    """A kind of folder that belongs to the harness; it writes and removes in such folders only.

    Attributes:
        marker: name of the file that marks such a folder.
        what: description of the kind, for the marker and for messages.
        find_foreign: the first entry of an unmarked folder that proves it belongs to something else, if any.
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
            return file.read(len(self._sign.encode())) == self._sign.encode()

    @property
    def _sign(self) -> str:
        return f"This folder is {self.what}"

    def refuse_foreign(self, folder: Path) -> None:
        """Refuse a folder that ``claim`` would refuse; nothing is written.

        Raises:
            UsageError: the folder holds foreign files.
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
                f"{folder}: not {self.what}: it holds {foreign.relative_to(folder)}, a foreign file; "
                "nothing was changed; name another folder, or an empty one"
            )

    def claim(self, folder: Path) -> None:
        """Mark a folder before anything is written into it or removed from it.

        A missing or empty folder is claimed, and so is one from a version of the harness without markers.

        Raises:
            UsageError: the folder holds foreign files.
            OSError: no room, no permission.
        """
        self.refuse_foreign(folder)
        if not self.is_marked(folder):
            text = f"{self._sign}, which creates and removes its content.\n"
            write_whole(folder / self.marker, text.encode())


def list_folder(folder: Path, marker: str = "") -> Iterator[Path]:
    """The entries of a folder (may be missing) by name, without litter, the marker and half-written files."""
    try:
        found = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    for path in found:
        half_written = fnmatch.fnmatchcase(path.name, WRITING)
        if path.name not in LITTER and path.name != marker and not half_written:
            yield path


def walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Relative path and path of every file below a folder, in a fixed order.

    Bytecode, litter, virtual environments and temporary folders of the harness are left out.
    """
    return ((name, Path(path)) for name, path in _walk_names(folder))


def _walk_names(folder: Path) -> Iterator[tuple[str, str]]:
    """As ``walk_files``, with plain text: an environment has 23,000 files, and each cell lists them twice."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name != "__pycache__"
            and not fnmatch.fnmatchcase(name, TEMPORARY)
            and not Path(place, name, "pyvenv.cfg").exists()
        )
        inner = Path(place).relative_to(folder).as_posix()
        prefix = "" if inner == "." else f"{inner}/"
        for name in sorted(names):
            if not name.endswith(".pyc") and name not in LITTER:
                yield f"{prefix}{name}", os.path.join(place, name)  # noqa: PTH118 - plain text


def hash_file(path: Path) -> str:
    """Sha256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_tree(*roots: Path, suffix: str = "") -> str:
    """Sha256 over relative paths and contents of all files below the roots; roots may be files or missing."""
    digest = hashlib.sha256()
    for root in roots:
        files = walk_files(root) if root.is_dir() else [(root.name, root)] if root.is_file() else []
        for name, path in files:
            if name.endswith(suffix) and path.is_file():  # reading a FIFO would block
                digest.update(f"{name}\0{hash_file(path)}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def stat_tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Size in bytes and modification time in ns of every file below a folder; links are not followed."""
    found = {}
    for name, path in _walk_names(folder):
        status = os.lstat(path)
        found[name] = (status.st_size, status.st_mtime_ns)
    return found


def remove_tree(folder: Path) -> None:
    """Remove a folder as far as possible; the rest stays for the next ``clean``."""
    shutil.rmtree(folder, ignore_errors=True)
