"""The session of the tests puts files into memory only where they fit, and removes them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module", name="loaded")
def loaded_fixture(root: Path) -> ModuleType:
    """The noxfile; nox warns of sessions that are registered twice."""
    spec = importlib.util.spec_from_file_location("noxfile_of_the_checkout", root / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(root))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(name="noxfile")
def noxfile_fixture(loaded: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(loaded, "MEMORY", tmp_path)
    monkeypatch.setattr(loaded, "ROOM", 0)
    return loaded


def test_files_are_in_memory_and_gone_afterwards(noxfile: ModuleType, tmp_path: Path) -> None:
    with noxfile.files_in_memory(["-n", "2", "-m", "not real"]) as variables:
        (folder,) = tmp_path.iterdir()
        (folder / "left").touch()
        assert (variables, folder.stat().st_mode & 0o777) == ({"TMPDIR": str(folder)}, 0o711)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "value"), [("ROOM", 2**80), ("MEMORY", Path("/nowhere-in-memory"))])
def test_without_room_files_are_where_they_always_are(
    name: str, value: object, noxfile: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noxfile, name, value)
    with noxfile.files_in_memory(["-m", "not real"]) as variables:
        assert variables == {}
    assert list(tmp_path.iterdir()) == []


def test_real_environments_are_not_put_into_memory(noxfile: ModuleType, tmp_path: Path) -> None:
    with noxfile.files_in_memory(["-m", "real"]) as variables:
        assert variables == {}
    assert list(tmp_path.iterdir()) == []
