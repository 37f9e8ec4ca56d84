"""Files that are whole or not there, files that a person names, checked paths, and digests of folders."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import hashlib
import os
import select
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from harness.errors import UsageError
from harness.redaction import redact

_CHUNK = 1024 * 1024

MAX_TEXT = 16 * _CHUNK
"""Bytes of a matrix, a lock or a dependency file; the largest uv.lock of a real project has about 5 MB."""

MAX_RESULTS = 512 * _CHUNK
"""Bytes of a file of results, unpacked; a sweep of 21 cells leaves about 5 MB."""

LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave in every folder that somebody has looked into."""


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees all of it or what was there before, also after a power cut.

    Raises:
        OSError: no room, no permission.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # "No space left on device" alone helps nobody
        raise


def write_text(path: Path, text: str) -> None:
    """Write what people and other programs read: whole, UTF-8, without the credentials of addresses.

    Raises:
        OSError: no room, no permission.
    """
    write_whole(path, redact(text).encode())


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

    def refuse_foreign(self, folder: Path) -> None:
        """Refuse a folder that could not be claimed; nothing is written.

        Raises:
            UsageError: something else lies in it.
            OSError: it cannot be read.
        """
        if (folder / self.marker).is_file():
            return
        if os.path.lexists(folder / self.marker):
            foreign: Path | None = folder / self.marker
        else:
            there = any(True for _ in list_folder(folder, self.marker))
            foreign = self.find_foreign(folder) if there else None
        if foreign is not None and not (folder / self.marker).is_file():  # made by another process just now
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
        if not (folder / self.marker).exists():
            text = f"This folder is {self.what}, which makes and removes what lies in it.\n"
            write_whole(folder / self.marker, text.encode())


def list_folder(folder: Path, marker: str = "") -> Iterator[Path]:
    """What lies in a folder, by name, but for litter, a marker and files being written."""
    there = sorted(folder.iterdir()) if folder.exists() else []
    for path in there:
        half = path.name.startswith((f".{marker}.", ".writing-")) and bool(marker)
        if path.name not in LITTER and path.name != marker and not half:
            yield path


def walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder but bytecode and litter, with its relative path, in a fixed order."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
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


# --- Input: files that a person names ------------------------------------------------------------------


def read_input(path: Path, limit: int = MAX_TEXT) -> bytes:
    """The content of a file, or of a pipe that was handed over as ``/dev/fd/N`` (process substitution).

    A signal ends it also where a pipe stays silent; in a coroutine use ``read_input_in_loop``.

    Raises:
        UsageError: no such file, no regular file, no permission, or more than ``limit`` bytes.
    """
    data = bytearray()
    with _open_input(path, str(path)) as descriptor:
        while not _drain(descriptor, data, str(path), limit):
            select.select([descriptor], [], [])
    return bytes(data)


async def read_input_in_loop(path: Path, called: str, limit: int = MAX_TEXT) -> bytes:
    """``read_input`` for a coroutine: the event loop waits for a silent pipe, so that signals are handled.

    ``called`` is the name of the file in messages.

    Raises:
        UsageError: as ``read_input``.
    """
    data = bytearray()
    with _open_input(path, called) as descriptor:
        while not _drain(descriptor, data, called, limit):
            await _wait_readable(descriptor)
    return bytes(data)


def decode_text(data: bytes, place: object) -> str:
    """Text in UTF-8, or with a byte order mark in UTF-16 (as PowerShell redirects it), without the mark.

    Raises:
        UsageError: it is neither; ``place`` names the file.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if wide else "UTF-8"
        raise UsageError(f"{place}: not {kind} text: {error.reason} at byte {error.start}") from None


def input_fault(path: Path, wanted: Literal["file", "folder"]) -> str:
    """Why a path is not a readable file, or not a folder; empty where it is."""
    try:
        mode = path.stat().st_mode
        if wanted == "folder":
            fault = "" if stat.S_ISDIR(mode) else f"{_kind_of(mode)}, but a folder was expected"
        else:
            fault = _kind_fault(path, mode)
        if not fault and not os.access(path, os.R_OK):
            fault = "cannot be read: permission denied"
    except (OSError, ValueError) as error:
        fault = _reason_of(error, wanted)
    return f"{path}: {fault}" if fault else ""


def exists(path: Path) -> bool:
    """Whether something is at a path; False as well where no file system could have it."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_descriptor(path: Path) -> bool:
    """Whether a path names a file descriptor of this process, as process substitution hands it over."""
    return str(path).startswith(("/dev/fd/", "/proc/self/fd/")) or str(path) == "/dev/stdin"


@contextlib.contextmanager
def _open_input(path: Path, called: str) -> Iterator[int]:
    try:
        if fault := _kind_fault(path, path.stat().st_mode):
            raise UsageError(f"{called}: {fault}")
        # Not blocking: opening a FIFO would otherwise wait for whoever writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise UsageError(f"{called}: {_reason_of(error, 'file')}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _drain(descriptor: int, data: bytearray, called: str, limit: int) -> bool:
    """Read what is there; whether that was the end, or more may come later."""
    try:
        while chunk := os.read(descriptor, _CHUNK):
            data += chunk
            if len(data) > limit:
                raise UsageError(f"{called}: larger than {limit // _CHUNK} MiB, the most that is read")
    except BlockingIOError:
        return False
    except OSError as error:
        raise UsageError(f"{called}: {_reason_of(error, 'file')}") from None
    return True


async def _wait_readable(descriptor: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


def _kind_fault(path: Path, mode: int) -> str:
    """Why a file of this kind is not read; empty where it is."""
    if stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and is_descriptor(path)):
        return ""
    return f"{_kind_of(mode)}, but a file was expected"


def _kind_of(mode: int) -> str:
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe (FIFO)",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _reason_of(error: OSError | ValueError, wanted: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no such {wanted}"
    said = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
    return f"cannot be read: {said[0].lower()}{said[1:]}"
