"""Read a TOML file into records; an error names the file, the key, the expected and the found value."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from harness.errors import UsageError
from harness.input_files import decode_text, read_input
from harness.redaction import redact

MAX_DEPTH = 32
"""Levels of tables and arrays in a TOML file; a lock has five."""

MAX_SHOWN = 80
"""Maximum number of characters of a value in a message."""

_CONSTRAINT = re.compile(r"matching regex|of length|Expected `(?:int|float)` [<>]|out of range")
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_LONG_KEY = re.compile(rf"""(?<![\w"'.-])(?:{_PART}\.[ \t]*+){{{MAX_DEPTH}}}""")

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Read and parse a TOML file.

    Raises:
        UsageError: the file is missing, not text, too large, too deeply nested, or not TOML (with line and
            column).
    """
    return parse_toml(decode_text(read_input(path), path), path)


def parse_toml(text: str, place: object) -> dict[str, Any]:
    """Parse TOML text; ``place`` names the file in messages.

    Raises:
        UsageError: the text is not TOML (with line and column), or nested too deeply.
    """
    # The time of tomllib grows with the cube of the number of parts of a key.
    if _LONG_KEY.search(text):
        raise UsageError(f"{place}: a key of more than {MAX_DEPTH} parts; at most {MAX_DEPTH} are read")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{place}: not TOML: {error}") from None
    except ValueError:  # of `int`, which converts no more than 4,300 digits
        raise UsageError(f"{place}: not TOML: a number of thousands of digits") from None
    except RecursionError:
        raise UsageError(f"{place}: nested too deeply; at most {MAX_DEPTH} levels are read") from None
    if _depth_exceeds(document, MAX_DEPTH):
        raise UsageError(f"{place}: nested too deeply; at most {MAX_DEPTH} levels are read")
    return document


def _depth_exceeds(document: object, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(each, (dict, list)) for each in level)


def convert(document: Any, kind: type[T], path: Path) -> T:
    """Convert a document into records.

    Raises:
        UsageError: a key is unknown or missing, or a value is invalid; the message names key and expectation.
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {_explain(str(error), document, kind)}") from None


def suggest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'numpy'?)``; empty if no known word is similar."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _explain(message: str, document: Any, kind: Any) -> str:
    text, _, place = message.partition(" - at ")
    tokens = re.findall(r"\.([\w-]+)|\[(\d+|\.\.\.)\]", place)
    keys, hint, value = _locate([name or index for name, index in tokens], document, kind)
    where = _dotted(keys) or "top level"
    fields = [field.encode_name for field in msgspec.structs.fields(hint)] if _is_struct(hint) else []
    if unknown := re.search(r"unknown field `(.*)`", text):
        key = unknown[1]
        return f"{_dotted([*keys, key])}: unknown key{suggest(key, fields)}; known here: {', '.join(fields)}"
    if missing := re.search(r"missing required field `(.*)`", text):
        return f"{_dotted([*keys, missing[1]])}: this key is required"
    if wrong := re.search(r"Invalid enum value '?(.*?)'?$", text):
        allowed = _literals(hint)
        return f"{where}: {wrong[1]!r} is not one of {', '.join(allowed)}{suggest(wrong[1], allowed)}"
    if _CONSTRAINT.search(text) and (expected := _description(hint)):
        return f"{where}: expected {expected}, found {_shown(value)}"
    quotes = (
        "; write it in quotes"
        if re.search(r"expected `str`, got `(int|float|date.*)`", text, re.IGNORECASE)
        else ""
    )
    return f"{where}: {text[:1].lower()}{text[1:]}{quotes}"


def _shown(value: Any) -> str:
    """A value as shown in a message: shortened if long, a container as its length."""
    if isinstance(value, (dict, list, tuple)):
        return str(len(value))
    try:
        shown = redact(repr(value))
    except ValueError:  # an integer of more digits than Python converts
        return "a larger number"
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}... ({len(shown)} characters)"


def _description(hint: Any) -> str:
    """The description in the metadata of a type; empty without one."""
    notes = (note.description for note in getattr(hint, "__metadata__", ()) if isinstance(note, msgspec.Meta))
    parts = (_description(part) for part in get_args(hint))
    return next(filter(None, (*notes, *parts)), "")


def _locate(tokens: list[str], value: Any, hint: Any) -> tuple[list[str], Any, Any]:
    """Keys, type and value of the fault; the token ``...`` is resolved to the first invalid entry."""
    keys: list[str] = []
    for token in tokens:
        hint = _inner(hint, token)
        key: Any = token
        if token == "...":  # noqa: S105 - a place in a document, not a password
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            key = next((key for key, entry in entries if not _fits(entry, hint)), None)
        elif isinstance(value, list):
            key = int(token)
        if key is None:
            break
        keys.append(str(key))
        value = value[key] if isinstance(value, (dict, list)) else value
    return keys, hint, value


def _inner(hint: Any, token: str) -> Any:
    if _is_struct(hint):
        return next(field.type for field in msgspec.structs.fields(hint) if field.encode_name == token)
    if get_origin(hint) is dict:
        return get_args(hint)[1]
    if get_origin(hint) is tuple:
        return get_args(hint)[0]
    return next((_inner(part, token) for part in get_args(hint) if get_args(part) or _is_struct(part)), Any)


def _literals(hint: Any) -> list[str]:
    if get_origin(hint) is Literal:
        return [str(value) for value in get_args(hint)]
    return [value for part in get_args(hint) for value in _literals(part)]


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _fits(value: Any, hint: Any) -> bool:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


def _dotted(keys: list[str]) -> str:
    return "".join(f"[{key}]" if key.isdigit() else f".{key}" for key in keys).lstrip(".")
