"""A store of the test, and a yard in which it makes environments from wheels."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from planted.wheels import build_wheel

from harness.matrix.schema import Model
from harness.records import Cell, Distribution, Lock
from harness.store.environments import EnvironmentStore, Installer
from harness.store.inputs import Suite, snapshot_suite
from harness.store.models import ObtainedModel, obtain_model
from harness.store.store import Store

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
CODE = "LIMB = 1\n" * 1000


@pytest.fixture(name="store")
def store_fixture(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def snapshot(store: Store, source: Path) -> Suite:
    """Keep a snapshot of the suite in ``source``."""

    async def take() -> Suite:
        async with AsyncExitStack() as stack:
            return await snapshot_suite(store, stack, source)

    return asyncio.run(take())


def obtain(
    wanted: Model, local: Path | None, store: Store, installer: Installer, say: Callable[[str], None]
) -> ObtainedModel:
    """Obtain a model."""

    async def take() -> ObtainedModel:
        async with AsyncExitStack() as stack:
            return await obtain_model(wanted, local, store, installer, say, stack)

    return asyncio.run(take())


def lock_wheels(wheels: dict[str, Path], python: str = PYTHON) -> Lock:
    """The lock of these wheels, all of version 1.0."""
    return Lock(
        cell="a",
        platform="here",
        python=python,
        inputs="1",
        origin="resolved",
        digest=hashlib.sha256("".join(wheels).encode()).hexdigest(),
        distributions=tuple(
            Distribution(name=name, version="1.0", sha256=(hashlib.sha256(wheel.read_bytes()).hexdigest(),))
            for name, wheel in wheels.items()
        ),
    )


def isolate_uv(cache: Path) -> tuple[tuple[str, str], ...]:
    """Variables of a uv with a cache of its own.

    It meets the Python of the tests first: it would start all others on the way, such as the shims of pyenv.
    """
    path = f"{Path(sys.base_prefix, 'bin')}{os.pathsep}{os.environ['PATH']}"
    return ("UV_CACHE_DIR", str(cache)), ("PATH", path)


@dataclass
class Yard:
    """A store, a folder of wheels, and what was said."""

    folder: Path
    said: list[str] = field(default_factory=list)
    store_name: str = "store"

    @property
    def installer(self) -> Installer:
        index = ("--no-index", "--find-links", str(self.folder / "wheels"))
        return Installer(index=index, variables=isolate_uv(self.folder / "cache"))

    @property
    def store(self) -> Store:
        return Store(self.folder / self.store_name)

    def lock(self, *names: str, python: str = PYTHON) -> Lock:
        """Build a wheel for each name, and lock it."""
        wheels = [build_wheel(self.folder / "wheels", name, "1.0", {f"{name}.py": CODE}) for name in names]
        return lock_wheels(dict(zip(names, wheels, strict=True)), python)

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


@pytest.fixture(name="yard")
def yard_fixture(tmp_path: Path) -> Yard:
    (tmp_path / "wheels").mkdir()
    return Yard(tmp_path)
