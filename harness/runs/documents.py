"""Write and read ``results.json`` and ``gate.json``, with a schema version and a JSON schema."""

from __future__ import annotations

import functools
import gzip
import io
import json
import zlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from harness.errors import UsageError
from harness.input_files import MAX_RESULTS, read_input
from harness.records import SCHEMA, UNREADABLE, Gate, Run

if TYPE_CHECKING:
    from pathlib import Path


_GZIP = b"\x1f\x8b"
"""The first bytes of a gzip file."""

R = TypeVar("R", bound=msgspec.Struct)


def render_document(record: msgspec.Struct) -> str:
    """Render a record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1).decode("utf-8") + "\n"


@functools.cache  # every run writes one, and a gate three times
def describe_document(kind: type[msgspec.Struct], title: str) -> str:
    """Render the JSON schema (draft 2020-12) of the documents of a kind of record."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{title}, schema version {SCHEMA}",
        **msgspec.json.schema(kind),
    }
    return json.dumps(schema, indent=1) + "\n"


def read_document(path: Path, kind: type[R], noun: str) -> R:
    """Read a document of ``render_document``, also compressed (``.gz``); ``noun`` names it, such as "a run".

    Raises:
        UsageError: the file is missing, truncated, of another schema version, or not such a document.
    """
    raw = read_input(path, MAX_RESULTS)
    if raw.startswith(_GZIP):  # published files are compressed
        raw = _unpack(raw, path)
    _require_schema(path, raw, noun)
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE as error:
        raise UsageError(f"{path}: not {noun} of this version of the harness: {error}") from error


def _unpack(packed: bytes, path: Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            raw = file.read(MAX_RESULTS + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: cannot be unpacked: {error}") from error
    if len(raw) > MAX_RESULTS:
        raise UsageError(f"{path}: larger than the limit of {MAX_RESULTS // 1024**2} MiB when unpacked")
    return raw


class _Versioned(msgspec.Struct):
    schema: int | None = None


def _require_schema(path: Path, raw: bytes, noun: str) -> None:
    try:
        found = msgspec.json.decode(raw, type=_Versioned).schema
    except UNREADABLE as error:
        raise UsageError(f"{path}: incomplete or damaged file of {noun}: {error}; run it again") from error
    if found != SCHEMA:
        raise UsageError(f"{path}: expected schema version {SCHEMA}, found {found}; run it again")


def render_json(run: Run) -> str:
    """Render the ``results.json`` of a run; ``render_schema`` is its schema."""
    return render_document(run)


def render_schema() -> str:
    """Render the JSON schema (draft 2020-12) of ``results.json``."""
    return describe_document(Run, "A run of the harness")


def read_json(path: Path) -> Run:
    """Read a ``results.json``.

    Raises:
        UsageError: the file is missing, truncated, of another schema version, or not a run.
    """
    return read_document(path, Run, "a run")


def render_gate_json(gate: Gate) -> str:
    """Render the ``gate.json`` of a gate; ``render_gate_schema`` is its schema."""
    return render_document(gate)


def render_gate_schema() -> str:
    """Render the JSON schema (draft 2020-12) of ``gate.json``."""
    return describe_document(Gate, "A gate of the harness")


def read_gate(path: Path) -> Gate:
    """Read a ``gate.json``.

    Raises:
        UsageError: the file is missing, truncated, of another schema version, or not a gate.
    """
    return read_document(path, Gate, "a gate")
