"""The fixtures that every test of the suite may ask for; cheap ones only, see ``suite/conftest.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

import pytest

from harness.cell.channel import Channel
from harness.cell.record import Record
from harness.cell.spec import CellSpec
from harness.cell.subject import load_normalizer

SEVERITY = ("pass", "skip", "fail", "error")


@dataclass
class CaseState:
    """What is known of an item while it runs."""

    record: Record = field(default_factory=Record)
    outcome: str = "pass"
    message: str = ""
    seconds: float = 0.0

    def add(self, outcome: str, message: str) -> None:
        """Keep the worst outcome of setup, call and teardown, with its message."""
        if SEVERITY.index(outcome) > SEVERITY.index(self.outcome):
            self.outcome, self.message = outcome, message


SPEC = pytest.StashKey[CellSpec]()
CHANNEL = pytest.StashKey[Channel]()
STATE = pytest.StashKey[CaseState]()


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Keep what this case measured, and hold it to its bound."""
    state: CaseState = request.node.stash.setdefault(STATE, CaseState())
    return state.record


@pytest.fixture(scope="session")
def spec(pytestconfig: pytest.Config) -> CellSpec:
    """Return what this cell was told."""
    return pytestconfig.stash[SPEC]


@pytest.fixture(scope="session")
def channel(pytestconfig: pytest.Config) -> Channel:
    """Return the way to the controller."""
    return pytestconfig.stash[CHANNEL]


@pytest.fixture
def normalizer(spec: CellSpec) -> str:
    """Return the name of the normalizer under test; a check over normalizers overrides it."""
    return spec.normalizers[0]


@pytest.fixture
def normalize(spec: CellSpec, normalizer: str) -> Callable[[Any], Any]:
    """Return the function that the axis value ``normalizer`` names: array (n, d) -> array (n, d)."""
    function: Callable[[Any], Any] = load_normalizer(spec, normalizer)
    return function


@pytest.fixture(scope="session")
def tolerance(spec: CellSpec) -> Callable[[str], float]:
    """Return the allowed value of a name in ``matrices/tolerances.toml``; KeyError where it has none."""
    return spec.tolerances.__getitem__
