"""What uv is asked for, what it refuses, and how its complaints are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from planted.wheels import build_wheel
from support.stores import Yard, yard_fixture  # noqa: F401 - fixtures

from harness.errors import StoreError
from harness.store.environments import Installer, UnavailablePythonError, shorten_message


def test_wheel_that_is_not_the_locked_one_is_refused(yard: Yard) -> None:
    lock = yard.lock("arm")
    build_wheel(yard.folder / "wheels", "arm", "1.0", {"arm.py": "LIMB = 3\n"})
    with pytest.raises(StoreError, match=r"Hash mismatch for `arm==1\.0`"):
        yard.make(lock)
    assert list(yard.store.environments.iterdir()) == []


def test_missing_wheel_is_told_in_the_words_of_uv(yard: Yard) -> None:
    lock = yard.lock("arm")
    (yard.folder / "wheels" / "arm-1.0-py3-none-any.whl").unlink()
    with pytest.raises(StoreError, match="arm was not found in the provided package locations"):
        yard.make(lock)


def test_python_that_is_not_there_comes_with_advice(yard: Yard) -> None:
    with pytest.raises(UnavailablePythonError) as caught:
        yard.make(yard.lock("arm", python="3.99"))
    assert str(caught.value).startswith("Python 3.99 is not on this machine (")
    assert str(caught.value).endswith(
        "); install it, let uv download it (--python-downloads), or remove it from the matrix"
    )


def test_source_distributions_are_built_only_where_the_cell_says_so(yard: Yard) -> None:
    calls = []

    class Listening(Installer):
        async def run(self, *arguments: str | Path) -> str:
            calls.append(arguments)
            return ""

    installer = Listening()
    asyncio.run(installer.sync(Path("python"), Path("file"), (), ["arm", "leg"], offline=False))
    asyncio.run(installer.sync(Path("python"), Path("file"), ("leg",), ["arm"], offline=True))
    assert [call[-2:] for call in calls] == [("--only-binary", ":all:"), ("--only-binary", "arm")]
    assert yard.said == []


def test_uvs_error_comes_without_its_warnings_and_progress() -> None:
    said = (
        "warning: Failed to hardlink files\n  If so, say so\nResolved 1 package\nerror: full\n  cause: disk\n"
    )
    assert shorten_message(said, 2) == "error: full cause: disk"
