"""Read a TOML file into records; an error names the file, the key, the expected and the found value."""

from __future__ import annotations

import datetime
import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.errors import UsageError
from harness.input_files import decode_text, read_input
from harness.redaction import redact

MAX_DEPTH = 32
"""Levels of tables and arrays in a TOML file; a lock has five."""

MAX_SHOWN = 80
"""Maximum number of characters of a value in a message."""

MAX_FAULTS = 20
"""Maximum number of faults of a file in a message."""

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
        UsageError: a key is unknown or missing, or a value is invalid; a line per fault, with its key.
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        # msgspec stops at the first fault; the schema of the same records finds all of them.
        refuse(path, tuple(dict.fromkeys(find_faults(document, kind))) or (str(error),))
        raise


def refuse(path: Path, faults: Iterable[str]) -> None:
    """Refuse a file that has faults.

    Raises:
        UsageError: one line per fault, at most ``MAX_FAULTS``.
    """
    refuse_all(path, (f"{path}: {fault}" for fault in faults))


def refuse_all(place: object, faults: Iterable[str]) -> None:
    """Refuse a file whose faults name their places themselves; ``place`` names the file.

    Raises:
        UsageError: one line per fault, at most ``MAX_FAULTS``.
    """
    listed = list(faults)
    if (more := len(listed) - MAX_FAULTS) > 0:
        listed[MAX_FAULTS:] = [f"{place}: {more} more faults"]
    if listed:
        raise UsageError("\n".join(listed))


def suggest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'numpy'?)``; empty if no known word is similar."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def find_faults(document: Any, kind: type) -> Iterator[str]:
    """The faults of a document against the JSON schema of a record; each begins with the key."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - 0.2 s, needed for faults only

    checker = validators.extend(Draft202012Validator, {"type": _check_type})  # type: ignore[no-untyped-call]
    schema = checker(msgspec.json.schema(kind), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in schema.iter_errors(document):
        yield from _describe(error)


def _check_type(validator: Any, wanted: str, found: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """The keyword ``type`` for values of TOML, which has dates, and numbers that are not finite."""
    from jsonschema import ValidationError  # noqa: PLC0415 - as above

    is_date = isinstance(found, datetime.date) and not isinstance(found, datetime.datetime)
    if schema.get("format") == "date" and is_date:
        return
    if not validator.is_type(found, wanted) or (isinstance(found, float) and not math.isfinite(found)):
        yield ValidationError("")


def _describe(error: Any) -> Iterator[str]:
    """The faults at one place; an error of the schema names the keyword, its value and the instance."""
    path, wanted, found, schema = error.absolute_path, error.validator_value, error.instance, error.schema
    where = _dotted(path) or "top level"
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        for key in (key for key in found if key not in known):
            listed = f"{suggest(key, known)}; known here: {', '.join(known)}"
            yield f"{_dotted([*path, key])}: unknown key{listed}"
    elif error.validator == "required":
        unknown = found.keys() - schema["properties"].keys()  # one may be the required key, misspelled
        missing = (
            key for key in wanted if key not in found and not any(suggest(each, [key]) for each in unknown)
        )
        yield from (f"{_dotted([*path, key])}: this key is required" for key in missing)
    elif error.validator == "enum":
        allowed = [str(value) for value in wanted]
        yield f"{where}: {_shown(found)} is not one of {', '.join(allowed)}{suggest(str(found), allowed)}"
    elif error.validator == "anyOf":
        # A value of another type fails each member of a union at its top; else one member fits further.
        near = [inner for inner in error.context if inner.validator != "type" or inner.path]
        members = [member for member in wanted if member.get("type") != "null"]
        for inner in near:
            yield from _describe(inner)
        if not near:
            yield f"{where}: {_expected_type(members, found)}"
    elif error.validator == "type":
        yield f"{where}: {_expected_type([schema], found)}"
    else:
        yield f"{where}: expected {_describe_schema(schema)}, found {_shown(found)}"


def _expected_type(schemas: Sequence[Mapping[str, Any]], found: Any) -> str:
    """What was expected in place of a value of another type, and how to write it."""
    first = schemas[0]
    if isinstance(found, float) and not math.isfinite(found):
        return f"expected {_describe_schema(first)}, found {found}"
    wanted = " or ".join(
        "a date such as 2026-11-01" if "format" in each else _NOUNS[_type_of(each)] for each in schemas
    )
    hint = ""
    if _type_of(first) == "string" and "format" not in first and not isinstance(found, (dict, list)):
        hint = "; write it in quotes"
    elif _type_of(first) in {"integer", "number"} and isinstance(found, str) and found.strip().isdecimal():
        hint = "; write it without quotes"
    elif _type_of(first) == "array" and not isinstance(found, dict):
        hint = f"; write a list, such as [{json.dumps(str(found)[:MAX_SHOWN])}]"
    return f"expected {wanted}, found {_kind(found)}{hint}"


def _describe_schema(schema: Mapping[str, Any]) -> str:
    if "format" in schema:
        return "a date such as 2026-11-01"
    return str(schema.get("description") or _NOUNS[_type_of(schema)])


def _type_of(schema: Mapping[str, Any]) -> str:
    """The type of a schema; one without is a reference to a record, which is a table."""
    return str(schema.get("type", "object"))


_NOUNS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def _kind(value: Any) -> str:
    """A value of the wrong type as shown in a message."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, (bool, datetime.date, datetime.time)):
        return str(value).lower()
    return f"the text {_shown(value)}" if isinstance(value, str) else f"the number {_shown(value)}"


def _shown(value: Any) -> str:
    """A value as shown in a message: shortened if long, a container as its length."""
    if isinstance(value, (dict, list, tuple)):
        return str(len(value))
    try:
        shown = redact(repr(value))
    except ValueError:  # an integer of more digits than Python converts
        return "a larger number"
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}... ({len(shown)} characters)"


def _dotted(keys: Iterable[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
