"""Add keys or replace versions in a matrix file without changing anything else in it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import tomlkit
from tomlkit.items import Array

from harness.errors import UsageError
from harness.files import write_whole
from harness.input_files import decode_text, is_descriptor, read_input

_TABLE = re.compile(r"^\s*\[+\s*([\w.\"'-]+)\s*\]+\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*[\w\"'-]+\s*=")


def describe_keys(table: str, keys: Mapping[str, str]) -> str:
    """The lines that a person would add to a matrix by hand."""
    return f"[{table}] " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())


def add_keys(path: Path, table: str, keys: Mapping[str, str]) -> bool:
    """Add keys at the end of a table of a TOML file; False, with the file unchanged, if that is impossible.

    The file is written if, read again, it differs by these keys alone. A pipe, an inline table and a file
    that cannot be written stay as they are.
    """
    if is_descriptor(path):
        return False
    try:
        before = decode_text(read_input(path), path)
        wanted = tomllib.loads(before)
        if keys.items() <= wanted[table].items():  # another process was faster
            return True
        after = _insert(before, table, keys)
        wanted[table] = {**wanted[table], **keys}
        if after is None or tomllib.loads(after) != wanted:
            return False
        write_whole(path, after.encode())
    except (OSError, UsageError, tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return False
    return True


def _insert(text: str, table: str, keys: Mapping[str, str]) -> str | None:
    """The text with the keys after the last key of the table; None without such a table."""
    lines = text.splitlines(keepends=True)
    inside, last = False, None
    for number, line in enumerate(lines):
        if found := _TABLE.match(line):
            inside = found[1] == table
            last = number if inside else last
        elif inside and _KEY.match(line):
            last = number
    if last is None:
        return None
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    added = (f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return "".join((*lines[: last + 1], *added, *lines[last + 1 :]))


def replace_versions(text: str, versions: Mapping[str, Sequence[str]]) -> str:
    """The text of a matrix with other versions (ascending) of some axes; all else stays, comments included.

    Raises:
        ValueError: the result would differ by more than these versions, as the text has an unusual form.
    """
    document = tomlkit.parse(text)
    wanted = tomllib.loads(text)
    for axis, chosen in versions.items():
        _change(document["axes"][axis], chosen)
        wanted["axes"][axis] = list(chosen)
    after = tomlkit.dumps(document)
    if tomllib.loads(after) != wanted:
        raise ValueError("the file has an unusual form")
    return after


def _change(array: Array, wanted: Sequence[str]) -> None:
    """Make an array equal to the wanted texts; elements that stay keep their lines and comments."""
    kept = [text for text in array.unwrap() if text in wanted]
    in_order = kept == [text for text in wanted if text in kept]
    for at in reversed(range(len(array))):
        if not in_order or array[at] not in wanted:
            del array[at]
    for at, text in enumerate(wanted):
        if at == len(array) or array[at] != text:
            array.insert(at, text)
