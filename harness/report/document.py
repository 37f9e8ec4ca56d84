"""A record as a JSON file with a schema version: written, described, and read back."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from harness.errors import UsageError
from harness.records import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

R = TypeVar("R", bound=msgspec.Struct)


def render_document(record: msgspec.Struct) -> str:
    """Render a record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1).decode("utf-8") + "\n"


def describe_document(kind: type[msgspec.Struct], title: str) -> str:
    """Render the JSON schema (draft 2020-12) of what ``render_document`` makes of a kind of record."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{title}, schema version {SCHEMA}",
        **msgspec.json.schema(kind),
    }
    return json.dumps(schema, indent=1) + "\n"


def read_document(path: Path, kind: type[R], noun: str) -> R:
    """Read what ``render_document`` wrote, packed (``.gz``) or not; ``noun`` names it, such as "a run".

    Raises:
        UsageError: there is no such file, it is cut off, of another schema version, or something else.
    """
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":  # as it is published
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read ({said}); {noun} was meant") from error
    _require_schema(path, raw, noun)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{path}: this is not {noun} as this version of the harness writes it: {error}"
        ) from error


class _Versioned(msgspec.Struct):
    schema: int | None = None


def _require_schema(path: Path, raw: bytes, noun: str) -> None:
    try:
        found = msgspec.json.decode(raw, type=_Versioned).schema
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a whole file of {noun}: {error}; run it again") from error
    if found != SCHEMA:
        raise UsageError(
            f"{path}: schema version {found}, but this harness reads version {SCHEMA}; run it again"
        )
