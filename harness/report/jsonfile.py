"""The run as JSON, the schema of that file, and the way back."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING

import msgspec

from harness.errors import UsageError
from harness.records import SCHEMA, Run

if TYPE_CHECKING:
    from pathlib import Path


def render_json(run: Run) -> str:
    """Render a run as it is written to ``results.json``; ``render_schema`` describes it."""
    return msgspec.json.format(msgspec.json.encode(run), indent=1).decode("utf-8") + "\n"


def render_schema() -> str:
    """Render the JSON schema (draft 2020-12) of ``results.json``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A run of the harness, schema version {SCHEMA}",
        **msgspec.json.schema(Run),
    }
    return json.dumps(schema, indent=1) + "\n"


def read_json(path: Path) -> Run:
    """Read what ``render_json`` wrote.

    Raises:
        UsageError: there is no such file, it is cut off, of another schema version, or no run at all.
    """
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":  # as it is published
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read ({said}); name a results.json of a run") from error
    _require_schema(path, raw)
    try:
        return msgspec.json.decode(raw, type=Run)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{path}: this is not a run as this version of the harness writes it: {error}"
        ) from error


class _Versioned(msgspec.Struct):
    schema: int | None = None


def _require_schema(path: Path, raw: bytes) -> None:
    try:
        found = msgspec.json.decode(raw, type=_Versioned).schema
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no complete results file: {error}; run the sweep again") from error
    if found != SCHEMA:
        raise UsageError(
            f"{path}: schema version {found}, but this harness reads version {SCHEMA}; run the sweep again"
        )
