"""The run as JSON, the schema of that file, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records import Run
from harness.report.document import describe_document, read_document, render_document

if TYPE_CHECKING:
    from pathlib import Path


def render_json(run: Run) -> str:
    """Render a run as it is written to ``results.json``; ``render_schema`` describes it."""
    return render_document(run)


def render_schema() -> str:
    """Render the JSON schema (draft 2020-12) of ``results.json``."""
    return describe_document(Run, "A run of the harness")


def read_json(path: Path) -> Run:
    """Read what ``render_json`` wrote.

    Raises:
        UsageError: there is no such file, it is cut off, of another schema version, or no run at all.
    """
    return read_document(path, Run, "a run")
