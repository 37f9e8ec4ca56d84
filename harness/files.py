"""Files that are whole or not there, and digests of what lies in folders."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from harness.held import writing_file

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


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or what was there before, also after a power cut.

    Raises:
        OSError: no room, no permission.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing_file(path.parent) as (descriptor, temporary):
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            temporary.chmod(0o644)
            temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # "No space left on device" alone helps nobody
        raise


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
            if name.endswith(suffix):
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
