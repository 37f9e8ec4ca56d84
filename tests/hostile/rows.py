"""The rows of hostile input: how they are read, and how their files are made (README.md has the format)."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import shutil
import sqlite3
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

CASES = Path(__file__).parent / "cases"

Kind = Literal[
    "matrix", "expected", "tolerances", "dependency", "lock", "result", "index", "argument", "store"
]


_CONTENT = {"text", "base64", "hex", "base", "repeat", "size", "special", "link", "sqlite"}
"""Keys of a file that say what is in it; the others edit it."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a file of rows."""


class Made(Record, frozen=True, kw_only=True):
    """How a file of a row is made: content, then edits."""

    text: str | None = None
    base64: str | None = None
    hex: str | None = None
    base: str | None = None
    repeat: str | None = None
    times: int = 1
    after: str = ""
    size: int | None = None
    special: Literal["fifo", "folder"] | None = None
    link: str | None = None
    sqlite: str | None = None
    replace: tuple[tuple[str, str], ...] = ()
    append: str = ""
    prepend: str = ""
    encoding: str = ""
    set: dict[str, Any] = {}
    remove: tuple[str, ...] = ()
    keep: int | None = None


class Row(Record, frozen=True, kw_only=True):
    """One hostile input and the answer that is expected."""

    id: str
    kind: Kind
    args: tuple[str, ...]
    exit: int
    words: tuple[str, ...]
    absent: tuple[str, ...] = ()
    files: dict[str, Made] = {}
    changes: tuple[str, ...] = ()
    env: dict[str, str] = {}
    stdin: str = ""
    git: bool = False
    space: float = 1.5
    process: bool = False
    pending: str = ""


class RowFile(Record, frozen=True, kw_only=True):
    """A file of rows, before what they share is merged in."""

    shared: dict[str, Any] = {}
    row: tuple[dict[str, Any], ...] = ()


@functools.cache
def read_rows() -> tuple[Row, ...]:
    """All rows of all files."""
    return tuple(row for path in sorted(CASES.glob("*.toml")) for row in read_file(path.read_text("utf-8")))


def read_file(text: str) -> Iterator[Row]:
    """The rows of one file, each with what its file says of all of them."""
    file = msgspec.convert(tomllib.loads(text), RowFile)
    for row in file.row:
        files = {name: _table(made) for name, made in file.shared.get("files", {}).items()}
        for name, made in row.get("files", {}).items():
            own = _table(made)
            files[name] = own if _CONTENT & own.keys() else files.get(name, {}) | own
        yield msgspec.convert(file.shared | row | {"files": files}, Row)


def _table(made: str | dict[str, Any]) -> dict[str, Any]:
    return {"text": made} if isinstance(made, str) else made


def make_files(row: Row, here: Path, bases: Path, names: Mapping[str, str]) -> None:
    """Make the files of a row in its folder; ``names`` are what stands for the names in texts."""
    for name, made in row.files.items():
        path = here / fill(name, names)
        path.parent.mkdir(parents=True, exist_ok=True)
        base = None if made.base is None else bases / fill(made.base, names)
        if made.special is not None or made.link is not None:
            _make_special(made, path, names)
        elif base is not None and base.is_dir():
            shutil.copytree(base, path)
        elif made.sqlite is not None:
            if base is not None:
                shutil.copyfile(base, path)
            with contextlib.closing(sqlite3.connect(path)) as database:
                database.executescript(made.sqlite)
        elif made.size is not None:
            with path.open("wb") as file:
                file.truncate(made.size)
        else:
            path.write_bytes(_edit(made, _content(made, base or path), names))


def _make_special(made: Made, path: Path, names: Mapping[str, str]) -> None:
    path.unlink(missing_ok=True)  # of a folder that was copied
    if made.special == "fifo":
        os.mkfifo(path)
    elif made.special == "folder":
        path.mkdir()
    else:
        path.symlink_to(fill(made.link or "", names))


def _content(made: Made, otherwise: Path) -> bytes:
    if made.hex is not None:
        return bytes.fromhex(made.hex)
    if made.base64 is not None:
        return base64.b64decode(made.base64)
    if made.text is not None or made.repeat is not None:
        return f"{made.text or ''}{(made.repeat or '') * made.times}{made.after}".encode()
    return otherwise.read_bytes()


def _edit(made: Made, data: bytes, names: Mapping[str, str]) -> bytes:
    if made.set or made.remove:
        data = _edit_json(made, data)
    if made.replace or made.append or made.prepend or made.encoding or b"@" in data:
        data = _edit_text(made, data, names)
    return data if made.keep is None else data[: made.keep]


def _edit_text(made: Made, data: bytes, names: Mapping[str, str]) -> bytes:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    for old, new in made.replace:
        if old not in text:
            raise ValueError(f"replace: {old!r} is not in the file")
        text = text.replace(old, new)
    return fill(f"{made.prepend}{text}{made.append}", names).encode(made.encoding or "utf-8")


def _edit_json(made: Made, data: bytes) -> bytes:
    document = json.loads(data)
    for place in made.remove:
        holder, key = _walk(document, place)
        del holder[key]
    for place, value in made.set.items():
        holder, key = _walk(document, place)
        holder[key] = value
    return json.dumps(document).encode()


def _walk(document: Any, place: str) -> tuple[Any, Any]:
    """What holds the value at a path such as ``cells.0.cell.id``, and under which key or index."""
    *parts, last = place.split(".")
    for part in parts:
        document = document[int(part) if isinstance(document, list) else part]
    return document, int(last) if isinstance(document, list) else last


def fill(text: str, names: Mapping[str, str]) -> str:
    """A text with the names in it replaced."""
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def look(folder: Path) -> dict[str, tuple[int, str | bytes]]:
    """What lies below a folder: path -> its kind, and its content or target."""
    found: dict[str, tuple[int, str | bytes]] = {}
    for path in sorted(folder.rglob("*")):
        kind = stat.S_IFMT(path.lstat().st_mode)
        content: str | bytes = b""
        if kind == stat.S_IFLNK:
            content = str(path.readlink())
        elif kind == stat.S_IFREG:
            content = path.read_bytes() if path.stat().st_size < 2**24 else str(path.stat().st_size)
        found[path.relative_to(folder).as_posix()] = kind, content
    return found
