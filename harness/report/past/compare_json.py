"""A comparison as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from harness.history_records import Comparison


def render_comparison_json(comparison: Comparison) -> str:
    """Render every single difference, as ``harness.history_records.Comparison`` has them."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=1).decode() + "\n"
