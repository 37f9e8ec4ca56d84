"""The commit that a published table was made with."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.resolve.revisions import CHANGED, read_revision

ROOT = Path(__file__).parents[2]


def name_commit(revision: str | None = None) -> str:
    """The commit of this checkout in words, as a table names it; a digest holds its kept rows to the code."""
    found = asyncio.run(read_revision(ROOT)) if revision is None else revision
    if not found:
        return "an unknown commit"
    return f"commit {found[:10]}{' and changes of it' if found.endswith(CHANGED) else ''}"
