"""Append expectations to the file of a matrix; what is in the file stays as it is."""

from __future__ import annotations

import codecs
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.errors import UsageError
from harness.files import write_whole
from harness.input_files import decode_text, read_input
from harness.matrix.expected import FILE_NAME, ExpectedFile, read_expected
from harness.matrix.read import PACKAGE, matrix_files, shipped_matrices
from harness.matrix.schema import SHIPPED, Matrix
from harness.matrix.toml_file import parse_toml
from harness.records import Expectation
from harness.redaction import redact

_WIDTH = 108
_MAX_COMMENT = 600


class Entry(msgspec.Struct, frozen=True):
    """An expectation with the comment above it."""

    expectation: Expectation
    comment: str


def find_file(matrix: Matrix) -> Path:
    """The file that new expectations of a matrix belong to: the last own one that it reads.

    Raises:
        UsageError: the matrix is one of the harness itself, or reads no file of its own.
    """
    shipped = shipped_matrices()
    if shipped.is_relative_to(PACKAGE) and matrix.folder.resolve() == shipped.resolve():
        raise UsageError(f"{matrix.path}: a matrix of the installed harness; copy it into your project first")
    named = (FILE_NAME,) if matrix.expected is None else matrix.expected
    own = [name for name in ((named,) if isinstance(named, str) else named) if name != SHIPPED]
    if not own:
        raise UsageError(
            f"{matrix.path}: expected: it names no file of this project; write "
            f'expected = ["{SHIPPED}", "{FILE_NAME}"]'
        )
    return matrix.folder / own[-1]


def scope_of(matrix: Matrix, path: Path) -> tuple[str, ...]:
    """The key ``matrix`` of a new expectation: its name where the folder of the file has several."""
    names = [file.stem for file in matrix_files(path.parent)]
    return (matrix.name,) if matrix.name in names and len(names) > 1 else ()


def append_expectations(path: Path, entries: Sequence[Entry]) -> None:
    """Append expectations to a file, which is created if it is missing.

    Raises:
        UsageError: the file is invalid, or has no ``[[expected]]`` tables to which one can be appended.
        OSError: it cannot be written.
    """
    path = path.resolve()  # a link stays a link
    old = read_input(path) if path.exists() else b""
    before = read_expected(path) if path.exists() else ()
    text = decode_text(old, path)
    newline = "\r\n" if "\r\n" in text else "\n"
    added = "".join(f"\n{render_entry(each)}" for each in entries)
    if text and not text.endswith("\n"):
        added = f"\n{added}"
    added = added if text else f"# Known divergences, each with its reason.\nschema = 1\n{added}"
    _refuse_unreadable(text + added, before, entries, path)
    mode = path.stat().st_mode & 0o777 if old else 0o644
    write_whole(path, old + added.replace("\n", newline).encode(_encoding_of(old)), mode=mode)


def _encoding_of(data: bytes) -> str:
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    return "utf-16-be" if data.startswith(codecs.BOM_UTF16_BE) else "utf-8"


def _refuse_unreadable(
    text: str, before: Sequence[Expectation], entries: Sequence[Entry], path: Path
) -> None:
    """Refuse to write a file that would not hold the old expectations and the new ones."""
    wanted = (*before, *(each.expectation for each in entries))
    try:
        found = msgspec.convert(parse_toml(text, path), ExpectedFile).expected
    except (UsageError, msgspec.ValidationError):
        found = ()
    if found != wanted:
        raise UsageError(
            f"{path}: nothing can be appended: write its expectations as [[expected]] tables; "
            "the file was not changed"
        )


def render_entry(entry: Entry) -> str:
    """An expectation as a table of TOML, below its comment."""
    each = entry.expectation
    keys: list[tuple[str, object]] = [
        ("status", each.status),
        ("check", each.check),
        ("outcome", None if each.outcome == "fail" else each.outcome),
        ("where", each.where or None),
        ("matrix", each.matrix or None),
        ("reason", each.reason),
        ("link", each.link or None),
    ]
    lines = [f"{key} = {_render(value)}" for key, value in keys if value is not None]
    plain = "".join(letter if letter.isprintable() else " " for letter in redact(entry.comment))
    comment = textwrap.shorten(plain, _MAX_COMMENT, placeholder=" ...")
    wrapped = textwrap.wrap(
        comment, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    return "\n".join((*wrapped, "[[expected]]", *lines, ""))


def _render(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_quote(text)}' for name, text in value.items())} }}"
    if isinstance(value, tuple):
        line = f"[{', '.join(map(_quote, value))}]"
        rows = "".join(f"  {_quote(each)},\n" for each in value)
        return line if len(line) <= _WIDTH else f"[\n{rows}]"
    return _quote(str(value))


def _quote(text: str) -> str:
    """A basic string: those of JSON are valid in TOML, but for the character that deletes."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
