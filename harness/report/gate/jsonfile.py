"""The gate as JSON, the schema of that file, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.gate_records import Gate
from harness.report.document import describe_document, read_document, render_document

if TYPE_CHECKING:
    from pathlib import Path


def render_gate_json(gate: Gate) -> str:
    """Render a gate as it is written to ``gate.json``; ``render_gate_schema`` describes it."""
    return render_document(gate)


def render_gate_schema() -> str:
    """Render the JSON schema (draft 2020-12) of ``gate.json``."""
    return describe_document(Gate, "A gate of the harness")


def read_gate(path: Path) -> Gate:
    """Read what ``render_gate_json`` wrote.

    Raises:
        UsageError: there is no such file, or it is no gate as this version writes it.
    """
    return read_document(path, Gate, "a gate")
