"""Environments: a lock installed once, checked on every use, made anew when it is not what it was."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import StoreError
from harness.files import remove_tree, write_whole
from harness.plan.lockfile import requirements_text
from harness.records import Cell, Lock
from harness.run.installer import Installer
from harness.run.manifest import NOT_THERE, find_bad_distributions, find_damage, write_manifest
from harness.run.store import Store

_REQUIREMENTS = "harness-requirements.txt"
_ATTEMPTS = 2

Say = Callable[[str], None]
Environment = Callable[[Cell, Lock, Say], contextlib.AbstractAsyncContextManager[Path]]
"""Gives the interpreter of a cell for as long as it is used; StoreError where it cannot be had."""


@dataclass(frozen=True)
class EnvironmentStore:
    """Environments by the digest of their lock."""

    store: Store
    installer: Installer
    _makers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    @contextlib.asynccontextmanager
    async def use(self, cell: Cell, lock: Lock, say: Say) -> AsyncIterator[Path]:
        """The interpreter of a cell's environment, made if need be, and kept as long as it is in use.

        ``say`` is told what is going on, for a person.

        Raises:
            StoreError: it cannot be made (uv's words), or has been damaged beyond repair.
        """
        folder = self.store.environments / lock.digest[:20]
        async with self.store.lock(f"env-{folder.name}"):
            try:
                await self._ensure(folder, cell, lock, say)
                using = contextlib.ExitStack()
                using.enter_context(self.store.using(folder))
            except OSError as error:
                raise StoreError(f"the environment cannot be made: {error}") from error
        with using:
            yield folder / "bin" / "python"

    async def _ensure(self, folder: Path, cell: Cell, lock: Lock, say: Say) -> None:
        damage = await asyncio.to_thread(find_damage, folder)
        if not damage:
            return
        if damage != NOT_THERE:
            say(f"environment {folder.name}: {damage}; made anew")
            await self._discard(folder)
        async with self._makers:
            await self._make(folder, cell, lock, say)

    async def _discard(self, folder: Path) -> None:
        """Put it aside; files changed in place are changed in uv's cache too, so that forgets them."""
        bad = await asyncio.to_thread(find_bad_distributions, folder, thorough=True)
        await asyncio.to_thread(self.store.put_aside, folder)
        if bad:
            await self.installer.forget(*bad)

    async def _make(self, folder: Path, cell: Cell, lock: Lock, say: Say) -> None:
        for _ in range(_ATTEMPTS):
            made = await self._install(cell, lock)
            try:
                bad = await asyncio.to_thread(find_bad_distributions, made, thorough=False)
                if not bad:
                    await _to_its_end(write_manifest, made)
                    made.rename(folder)
                    return
                say(f"uv's cache holds damaged files of {', '.join(bad)}; fetched anew")
                await self.installer.forget(*bad)
            finally:
                await asyncio.to_thread(remove_tree, made)
        raise StoreError(
            f"{', '.join(bad)}: what was installed is not what its RECORD says, also when fetched anew"
        )

    async def _install(self, cell: Cell, lock: Lock) -> Path:
        """An environment under a temporary name."""
        made = self._name_temporary()
        try:
            await self.installer.make_venv(made, lock.python)
            requirements = made / _REQUIREMENTS
            write_whole(requirements, requirements_text(lock.distributions).encode())
            wheels = [each.name for each in lock.distributions if each.name not in cell.source]
            await self.installer.sync(made / "bin" / "python", requirements, cell.source, wheels)
        except BaseException:
            remove_tree(made)
            raise
        return made

    def _name_temporary(self) -> Path:
        self.store.environments.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=self.store.environments, prefix=".making-"))
        made.rmdir()  # uv wants to make it
        return made


async def _to_its_end(work: Callable[[Path], None], folder: Path) -> None:
    """Work in a thread that cannot be stopped: when cancelled, wait until it has let go of the folder."""
    thread = asyncio.ensure_future(asyncio.to_thread(work, folder))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise
