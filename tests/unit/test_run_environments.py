"""Real environments, made by uv from wheels that the tests build: no network, and a uv cache of their own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from planted.wheels import build_wheel

from harness.errors import StoreError
from harness.records import Cell, Distribution, Lock
from harness.run import environments
from harness.run.bytecode import BytecodePool
from harness.run.environments import EnvironmentStore
from harness.run.installer import Installer, UnavailablePythonError, shorten_complaint
from harness.run.manifest import find_damage, write_manifest
from harness.run.store import Store

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
CODE = "LIMB = 1\n" * 1000


@dataclass
class Yard:
    """A store, a folder of wheels, and what was said."""

    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def installer(self) -> Installer:
        cache = (("UV_CACHE_DIR", str(self.folder / "cache")),)
        return Installer(index=("--no-index", "--find-links", str(self.folder / "wheels")), variables=cache)

    @property
    def store(self) -> Store:
        return Store(self.folder / "store")

    def lock(self, *names: str, python: str = PYTHON) -> Lock:
        """Build a wheel for each name, and lock it."""
        wheels = [build_wheel(self.folder / "wheels", name, "1.0", {f"{name}.py": CODE}) for name in names]
        return Lock(
            cell="a",
            platform="here",
            python=python,
            inputs="1",
            origin="resolved",
            digest=hashlib.sha256("".join(names).encode()).hexdigest(),
            distributions=tuple(
                Distribution(
                    name=name, version="1.0", sha256=(hashlib.sha256(wheel.read_bytes()).hexdigest(),)
                )
                for name, wheel in zip(names, wheels, strict=True)
            ),
        )

    async def get(self, lock: Lock) -> Path:
        cell = Cell(id="a", axes={}, requirements=(), python=lock.python)
        async with EnvironmentStore(self.store, self.installer).use(cell, lock, self.said.append) as python:
            assert python.exists()
            return python

    def make(self, lock: Lock) -> Path:
        """The folder of the environment."""
        return asyncio.run(self.get(lock)).parent.parent

    def module(self, environment: Path, name: str) -> Path:
        return environment / f"lib/python{PYTHON}/site-packages/{name}.py"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    (tmp_path / "wheels").mkdir()
    return Yard(tmp_path)


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
    what = f"1 of its files changed since it was made, the first is lib/python{PYTHON}/site-packages/leg.py"
    assert yard.said == [f"environment {lock.digest[:20]}: {what}; made anew"]


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
    assert yard.said == ["uv's cache holds damaged files of arm; fetched anew"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("cut off", "it was cut off while it was made"),
        (
            "removed",
            "1 of its files changed since it was made, the first is lib/python{python}/site-packages/arm.py",
        ),
        (
            "added",
            "1 of its files changed since it was made, the first is lib/python{python}/site-packages/sly.py",
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
    assert yard.said == [f"environment {lock.digest[:20]}: {said.format(python=PYTHON)}; made anew"]


def test_interpreter_that_was_uninstalled_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "interpreter").touch()
    (tmp_path / "environment" / "bin").mkdir(parents=True)
    (tmp_path / "environment" / "bin" / "python").symlink_to(tmp_path / "interpreter")
    write_manifest(tmp_path / "environment")
    assert find_damage(tmp_path / "environment") == ""
    (tmp_path / "interpreter").unlink()
    assert find_damage(tmp_path / "environment") == f"its interpreter is gone: {tmp_path / 'interpreter'}"


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
        "); install it, let uv fetch it (--python-downloads), or take it out of the matrix"
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


def test_source_distributions_are_built_only_where_the_cell_says_so(yard: Yard) -> None:
    calls = []

    class Listening(Installer):
        async def run(self, *arguments: str | Path) -> str:
            calls.append(arguments)
            return ""

    installer = Listening()
    asyncio.run(installer.sync(Path("python"), Path("file"), (), ["arm", "leg"]))
    asyncio.run(installer.sync(Path("python"), Path("file"), ("leg",), ["arm"]))
    assert [call[-2:] for call in calls] == [("--only-binary", ":all:"), ("--only-binary", "arm")]
    assert yard.said == []


@pytest.mark.parametrize(("cached", "asked"), [(True, [True]), (False, [True, False])])
def test_indexes_are_asked_only_for_what_the_cache_lacks(*, cached: bool, asked: list[bool]) -> None:
    offline = []

    class Listening(Installer):
        async def run(self, *arguments: str | Path) -> str:
            offline.append("--offline" in arguments)
            if offline[-1] and not cached:
                raise StoreError("it was not found in the cache")
            return ""

    asyncio.run(Listening().sync(Path("python"), Path("file"), (), ["arm"]))
    assert offline == asked


def test_uvs_error_comes_without_its_warnings_and_progress() -> None:
    said = (
        "warning: Failed to hardlink files\n  If so, say so\nResolved 1 package\nerror: full\n  cause: disk\n"
    )
    assert shorten_complaint(said, 2) == "error: full cause: disk"


def test_bytecode_is_shared_by_environments_that_link_to_the_same_file(yard: Yard) -> None:
    first, second = yard.make(yard.lock("arm")), yard.make(yard.lock("arm", "leg"))
    subprocess.run([first / "bin" / "python", "-c", "import arm"], check=True, cwd=yard.folder)
    subprocess.run([first / "bin" / "python", "-m", "compileall", "-q", first / "lib"], check=True)
    pool = BytecodePool()
    pool.take(first)
    linked = yard.module(first, "arm").samefile(yard.module(second, "arm"))
    assert pool.give(second) >= (1 if linked else 0)
    assert pool.give(second) == 0
    said = subprocess.run(
        [second / "bin" / "python", "-v", "-c", "import arm; print(arm.__cached__, arm.LIMB)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=yard.folder,
    )
    assert f"{yard.module(second, 'arm').parent}/__pycache__/arm" in said.stdout
    assert not linked or "arm.cpython" in said.stderr.partition("matches ")[2]
    assert yard.make(yard.lock("arm", "leg")) == second
    assert yard.said == []


def test_bytecode_of_another_file_is_not_taken(yard: Yard, tmp_path: Path) -> None:
    first, second = yard.make(yard.lock("arm")), yard.make(yard.lock("arm", "leg"))
    module = yard.module(second, "arm")
    module.unlink()
    module.write_text("LIMB = 2\n")
    subprocess.run([first / "bin" / "python", "-c", "import arm"], check=True, cwd=tmp_path)
    pool = BytecodePool()
    pool.take(first)
    assert pool.give(second) == 0
