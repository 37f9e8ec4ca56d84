"""The twin of the baseline: another name in the store, and files that no other environment has."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.runs import make_planned

from harness.errors import MachineError
from harness.store.environments import Installer
from proof import twin
from proof.twin import find_shared, make_twin, name_twin


def test_a_twin_has_the_distributions_and_another_name() -> None:
    planned = make_planned("a")
    found = name_twin(planned)
    assert found.lock.distributions == planned.lock.distributions
    assert found.lock.digest != planned.lock.digest
    assert name_twin(planned) == found  # so that the store finds it again


def make_environment(folder: Path, *, linked: bool) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/usr/bin/python3")
    (folder / "numpy.py").write_text("x = 1\n")
    (folder / "numpy.pyc").write_text("compiled")
    os.link(folder / "numpy.pyc", folder.parent / "other.pyc")
    if linked:
        os.link(folder / "numpy.py", folder.parent / "other.py")
    return folder


def test_a_file_that_lies_elsewhere_too_is_found_and_bytecode_is_not(tmp_path: Path) -> None:
    assert list(find_shared(make_environment(tmp_path / "own" / "env", linked=False))) == []
    shared = make_environment(tmp_path / "shared" / "env", linked=True)
    assert list(find_shared(shared)) == [shared / "numpy.py"]


@dataclass
class Environments:
    """Gives a folder for an environment, and keeps how its installer was told to install."""

    folder: Path
    variables: dict[str, str]

    def of(self, _store: object, installer: Any) -> Environments:
        self.variables.update(installer.variables)
        return self

    @contextlib.asynccontextmanager
    async def use(self, *_: object) -> AsyncIterator[Path]:
        yield self.folder / "bin" / "python"


@pytest.mark.parametrize("linked", [False, True])
def test_a_twin_that_shares_files_is_refused(
    linked: bool,  # noqa: FBT001 - a column
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environments = Environments(make_environment(tmp_path / "env", linked=linked), {})
    monkeypatch.setattr(twin, "make_environments", environments.of)
    monkeypatch.setattr(twin, "make_installer", lambda *_, **__: Installer())
    request: Any = type("Request", (), {"python_downloads": False, "store": None})()
    settings: Any = None
    with pytest.raises(MachineError, match="shared with another") if linked else contextlib.nullcontext():
        asyncio.run(make_twin(make_planned(), request, settings, pytest.fail))
    assert environments.variables == {"UV_LINK_MODE": "copy"}
