"""Tests that take times run while no other process of the session runs a real one."""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def uses_alone(item: pytest.Item) -> bool | None:
    """Whether a test has the machine for itself; None: it is no real one."""
    real, timed = (item.get_closest_marker(name) is not None for name in ("real", "timed"))
    return timed if real else None


@contextlib.contextmanager
def use_machine(lock: Path, *, alone: bool) -> Iterator[None]:
    """Use the machine; wait until nobody uses it alone, or for ``alone`` until nobody uses it."""
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
