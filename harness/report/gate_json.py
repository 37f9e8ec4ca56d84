"""The gate as JSON, the schema of that file, and the way back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from harness.errors import UsageError
from harness.gate_records import Gate
from harness.records import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path


def render_gate_json(gate: Gate) -> str:
    """Render a gate as it is written to ``gate.json``; ``render_gate_schema`` describes it."""
    return msgspec.json.format(msgspec.json.encode(gate), indent=1).decode("utf-8") + "\n"


def render_gate_schema() -> str:
    """Render the JSON schema (draft 2020-12) of ``gate.json``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A gate of the harness, schema version {SCHEMA}",
        **msgspec.json.schema(Gate),
    }
    return json.dumps(schema, indent=1) + "\n"


def read_gate(path: Path) -> Gate:
    """Read what ``render_gate_json`` wrote.

    Raises:
        UsageError: there is no such file, or it is no gate as this version writes it.
    """
    try:
        gate = msgspec.json.decode(path.read_bytes(), type=Gate)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a gate as this version of the harness writes it: {error}") from None
    if gate.schema != SCHEMA:
        raise UsageError(f"{path}: schema version {gate.schema}, but this harness reads version {SCHEMA}")
    return gate
