"""Read files that the user names, within size limits; an unreadable file is a usage error of one sentence."""

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
"""Bytes of an unpacked results file; a sweep of 21 cells writes about 5 MB."""


def read_input(path: Path, limit: int = MAX_TEXT) -> bytes:
    """The content of a file, or of a pipe passed as ``/dev/fd/N`` (process substitution).

    A signal interrupts it even while a pipe is silent; coroutines use ``read_input_in_loop``.

    Raises:
        UsageError: no such file, no regular file, no permission, or more than ``limit`` bytes.
    """
    data = bytearray()
    with _open_input(path, str(path), limit) as descriptor:
        while not _drain(descriptor, data, str(path), limit):
            select.select([descriptor], [], [])
    return bytes(data)


async def read_input_in_loop(path: Path, shown: str, limit: int = MAX_TEXT) -> bytes:
    """``read_input`` for a coroutine: the event loop waits for a silent pipe and handles signals meanwhile.

    ``shown`` is the name of the file in messages.

    Raises:
        UsageError: as ``read_input``.
    """
    data = bytearray()
    with _open_input(path, shown, limit) as descriptor:
        while not _drain(descriptor, data, shown, limit):
            await _wait_readable(descriptor)
    return bytes(data)


def decode_text(data: bytes, place: object) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark (as PowerShell redirects it); the mark is removed.

    Raises:
        UsageError: the text is neither; ``place`` names the file.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if wide else "UTF-8"
        raise UsageError(f"{place}: not {kind} text: {error.reason} at byte {error.start}") from None


def input_fault(path: Path, wanted: Literal["file", "folder"]) -> str:
    """Why a path is not a readable file or folder, as wanted; empty if it is."""
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
    """Whether a path exists; False as well for a path that no file system allows."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_descriptor(path: Path) -> bool:
    """Whether a path names a file descriptor of this process, as process substitution does."""
    return str(path).startswith(("/dev/fd/", "/proc/self/fd/")) or str(path) == "/dev/stdin"


@contextlib.contextmanager
def _open_input(path: Path, shown: str, limit: int) -> Iterator[int]:
    try:
        status = path.stat()
        if fault := _kind_fault(path, status.st_mode):
            raise UsageError(f"{shown}: {fault}")
        if stat.S_ISREG(status.st_mode) and status.st_size > limit:  # before any of it takes memory
            raise UsageError(_describe_large(shown, limit))
        # Non-blocking: opening a FIFO would otherwise wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown}: {_reason_of(error, 'file')}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _drain(descriptor: int, data: bytearray, shown: str, limit: int) -> bool:
    """Read the available data; True at the end of the input."""
    try:
        while chunk := os.read(descriptor, _CHUNK):
            data += chunk
            if len(data) > limit:
                raise UsageError(_describe_large(shown, limit))
    except BlockingIOError:
        return False
    except OSError as error:
        raise UsageError(f"{shown}: {_reason_of(error, 'file')}") from None
    return True


def _describe_large(shown: str, limit: int) -> str:
    return f"{shown}: larger than the limit of {limit // _CHUNK} MiB"


async def _wait_readable(descriptor: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


def _kind_fault(path: Path, mode: int) -> str:
    """Why a file of this kind cannot be an input; empty if it can."""
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
    reason = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
    return f"cannot be read: {reason[0].lower()}{reason[1:]}"
