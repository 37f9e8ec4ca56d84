"""Files that a person names: read within limits, refused in one sentence where they cannot be read."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import select
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.errors import UsageError

_CHUNK = 1024 * 1024

MAX_TEXT = 16 * _CHUNK
"""Bytes of a matrix, a lock or a dependency file; the largest uv.lock of a real project has about 5 MB."""

MAX_RESULTS = 512 * _CHUNK
"""Bytes of a file of results, unpacked; a sweep of 21 cells leaves about 5 MB."""


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
