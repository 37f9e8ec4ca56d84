"""The rows of hostile input: how they are read, and how their files are made (README.md has the format)."""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
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
            files[name] = files.get(name, {}) | _table(made)
        yield msgspec.convert(file.shared | row | {"files": files}, Row)


def _table(made: str | dict[str, Any]) -> dict[str, Any]:
    return {"text": made} if isinstance(made, str) else made


def make_files(row: Row, here: Path, bases: Path, names: Mapping[str, str]) -> None:
    """Make the files of a row in its folder; ``names`` are what stands for the names in texts."""
    for name, made in row.files.items():
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if made.special == "fifo":
            os.mkfifo(path)
        elif made.special == "folder":
            path.mkdir()
        elif made.link is not None:
            path.symlink_to(fill(made.link, names))
        elif made.size is not None:
            with path.open("wb") as file:
                file.truncate(made.size)
        elif made.base is not None and (bases / made.base).is_dir():
            shutil.copytree(bases / made.base, path)
        else:
            path.write_bytes(_content(made, path, bases, names))


def _content(made: Made, path: Path, bases: Path, names: Mapping[str, str]) -> bytes:
    if made.hex is not None:
        data = bytes.fromhex(made.hex)
    elif made.base64 is not None:
        data = base64.b64decode(made.base64)
    elif made.base is not None:
        data = (bases / made.base).read_bytes()
    elif made.text is not None or made.repeat is not None:
        data = f"{made.text or ''}{(made.repeat or '') * made.times}{made.after}".encode()
    else:
        data = path.read_bytes()
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
