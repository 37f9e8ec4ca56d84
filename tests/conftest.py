"""What all tests share: where the checkout is, and the harness as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from planted.command import ROOT, Harness

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def harness() -> Harness:
    """The harness as it is."""
    return Harness()
