"""Files that are whole or not there, files that a person names, and digests of what lies in folders."""

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
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.errors import UsageError

_CHUNK = 1024 * 1024

MAX_TEXT = 16 * _CHUNK
"""Bytes of a matrix, a lock or a dependency file; the largest uv.lock of a real project has about 5 MB."""

MAX_RESULTS = 512 * _CHUNK
"""Bytes of a file of results, unpacked; a sweep of 21 cells leaves about 5 MB."""


def write_whole(path: Path, data: bytes) -> None:
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
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # "No space left on device" alone helps nobody
        raise


def copy_whole(source: Path, target: Path) -> bool:
    """Copy a file the same way; False where there is none."""
    try:
        data = source.read_bytes()
    except FileNotFoundError:
        return False
    write_whole(target, data)
    return True


def walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder but bytecode, with its relative path, in a fixed order."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if not name.endswith(".pyc"):
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
