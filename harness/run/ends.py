"""How a cell process can come to an end, in words."""

from __future__ import annotations

from harness.records import CellStatus


class CellEndedError(Exception):
    """A cell process came to an end of its own: the status that it gets, and one sentence of why."""

    def __init__(self, status: CellStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
