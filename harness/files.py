"""Files that are whole or not there, and digests of what lies in folders."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.redaction import redact

_CHUNK = 1024 * 1024


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


def write_text(path: Path, text: str) -> None:
    """Write what people and other programs read: whole, UTF-8, without the credentials of addresses.

    Raises:
        OSError: no room, no permission.
    """
    write_whole(path, redact(text).encode())


def copy_whole(source: Path, target: Path) -> bool:
    """Copy a text file the same way, without the credentials in it; False where there is none."""
    try:
        data = source.read_bytes()
    except FileNotFoundError:
        return False
    write_whole(target, _redact_bytes(data))
    return True


def redact_file(path: Path) -> None:
    """Take the credentials out of a text file that another program wrote; nothing where there is none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    plain = _redact_bytes(data)
    if plain != data:
        write_whole(path, plain)


def _redact_bytes(data: bytes) -> bytes:
    return redact(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")


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
