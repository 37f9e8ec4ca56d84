"""How long a summary may be: GitHub shows none of a step summary that is larger than 1 MiB."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SUMMARY_BYTES = 1024 * 1024
"""https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands (seen 2026-11)."""

TABLE_BYTES = 90_000
"""Eight tables fit, what surrounds them too, and what ``disarm_commands`` may add (a third at the worst)."""


def fit_rows(rows: Sequence[str], limit: int = TABLE_BYTES) -> tuple[Sequence[str], int]:
    """The first rows that take no more than ``limit`` bytes of UTF-8, and how many are left out."""
    size = 0
    for count, row in enumerate(rows):
        size += len(row.encode("utf-8", "replace")) + 1
        if size > limit:
            return rows[:count], len(rows) - count
    return rows, 0
