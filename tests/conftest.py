"""What all tests share: where the checkout is, and the harness as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from planted.command import ROOT, Harness
from support.alone import use_machine, uses_alone

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test that takes times while no other process of the session runs a real one."""
    alone = uses_alone(item)
    if alone is None:
        return (yield)
    factory: pytest.TempPathFactory = item.config._tmp_path_factory  # type: ignore[attr-defined] # in no fixture
    own = factory.getbasetemp()
    shared = own.parent if hasattr(item.config, "workerinput") else own
    with use_machine(shared / "machine.lock", alone=alone):
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the key that seals results out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def harness() -> Harness:
    """The harness as it is."""
    return Harness()
