"""Real environments, made by uv from wheels that the tests build: no network, and a uv cache of their own."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from support.stores import CODE, PYTHON, Yard, yard_fixture  # noqa: F401 - fixtures

from harness.errors import StoreError
from harness.store import environments
from harness.store.manifest import find_damage, write_manifest


def test_second_use_changes_nothing(yard: Yard) -> None:
    lock = yard.lock("arm")
    environment = yard.make(lock)
    made = environment.stat().st_ino
    assert yard.make(lock).stat().st_ino == made
    assert yard.module(environment, "arm").read_text() == CODE
    assert yard.said == []
    assert sorted(path.name for path in yard.store.environments.iterdir()) == [lock.digest[:20]]


def test_bytecode_is_no_damage(yard: Yard) -> None:
    lock = yard.lock("arm")
    cache = yard.module(yard.make(lock), "arm").parent / "__pycache__"
    cache.mkdir()
    (cache / "arm.cpython-311.pyc").write_bytes(b"")
    yard.make(lock)
    assert yard.said == []


def test_truncated_file_ends_in_a_good_environment(yard: Yard) -> None:
    """uv's cache holds the same file, by hard link: a new environment made from it would be as bad."""
    lock = yard.lock("arm", "leg")
    module = yard.module(yard.make(lock), "leg")
    os.truncate(module, 100)
    cached = [path.read_text() for path in (yard.folder / "cache").rglob("leg.py")]
    if sys.platform == "linux":  # elsewhere uv may clone files instead of linking them
        assert cached == [CODE[:100]], "the planted fault is in the cache as well"
    environment = yard.make(lock)
    assert yard.module(environment, "leg").read_text() == CODE
    what = f"1 of its files changed since its creation, the first is lib/python{PYTHON}/site-packages/leg.py"
    assert yard.said == [f"environment {lock.digest[:20]}: {what}; it is rebuilt"]


def test_changed_file_of_the_same_size_ends_in_a_good_environment(yard: Yard) -> None:
    lock = yard.lock("arm")
    module = yard.module(yard.make(lock), "arm")
    with module.open("r+") as file:
        file.write("LIMB = 2\n")
    assert yard.module(yard.make(lock), "arm").read_text() == CODE


def test_damage_of_the_cache_is_found_when_another_environment_is_made(yard: Yard) -> None:
    os.truncate(yard.module(yard.make(yard.lock("arm")), "arm"), 100)
    environment = yard.make(yard.lock("arm", "leg"))
    assert yard.module(environment, "arm").read_text() == CODE
    assert yard.said == ["uv's cache holds damaged files of arm; they are downloaded again"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("cut off", "its installation was interrupted"),
        (
            "removed",
            "1 of its files changed since its creation, the first is lib/python{python}/site-packages/arm.py",
        ),
        (
            "added",
            "1 of its files changed since its creation, the first is lib/python{python}/site-packages/sly.py",
        ),
    ],
)
def test_damage_is_noticed_and_made_anew(yard: Yard, fault: str, said: str) -> None:
    lock = yard.lock("arm")
    environment = yard.make(lock)
    if fault == "cut off":
        (environment / "harness-manifest.json").unlink()
    elif fault == "removed":
        yard.module(environment, "arm").unlink()
    else:
        yard.module(environment, "sly").write_text("")
    again = yard.make(lock)
    assert yard.module(again, "arm").read_text() == CODE
    assert not yard.module(again, "sly").exists()
    assert yard.said == [f"environment {lock.digest[:20]}: {said.format(python=PYTHON)}; it is rebuilt"]


def test_interpreter_that_was_uninstalled_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "interpreter").touch()
    (tmp_path / "environment" / "bin").mkdir(parents=True)
    (tmp_path / "environment" / "bin" / "python").symlink_to(tmp_path / "interpreter")
    write_manifest(tmp_path / "environment")
    assert find_damage(tmp_path / "environment", {}) == ""
    (tmp_path / "interpreter").unlink()
    assert (
        find_damage(tmp_path / "environment", {})
        == f"its interpreter no longer exists: {tmp_path / 'interpreter'}"
    )


def test_store_that_cannot_be_written_to(tmp_path: Path, yard: Yard) -> None:
    (tmp_path / "store").write_text("a file, no folder")
    with pytest.raises(StoreError, match=r"the store cannot be used: .*name another with --store"):
        yard.make(yard.lock("arm"))


def test_two_at_once_make_one(yard: Yard) -> None:
    lock = yard.lock("arm")

    async def both() -> list[Path]:
        return list(await asyncio.gather(yard.get(lock), yard.get(lock)))

    first, second = asyncio.run(both())
    assert first == second
    assert yard.said == []


def test_cut_off_while_its_files_are_listed_nothing_is_left(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, listing = yard.lock("arm"), threading.Event()

    def list_slowly(environment: Path) -> None:
        listing.set()
        time.sleep(0.5)  # the folder must not be taken away meanwhile
        write_manifest(environment)

    async def cut_off() -> None:
        task = asyncio.create_task(yard.get(lock))
        await asyncio.to_thread(listing.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    monkeypatch.setattr(environments, "write_manifest", list_slowly)
    asyncio.run(cut_off())
    assert list(yard.store.environments.iterdir()) == []
