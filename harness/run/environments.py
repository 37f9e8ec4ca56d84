"""Environments: a lock installed once, checked on every use, made anew when it is not what it was."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import StoreError
from harness.files import describe_os_error, remove_tree, write_whole
from harness.held import making_folder
from harness.plan.lockfile import requirements_text
from harness.records import Cell, Lock
from harness.run.bytecode import remove_damaged_bytecode
from harness.run.installer import OFFLINE_FIRST, Installer, InstallerEndedError
from harness.run.manifest import (
    NOT_THERE,
    find_bad_distributions,
    find_damage,
    find_incomplete,
    write_manifest,
)
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
                raise StoreError(f"the environment cannot be made: {describe_os_error(error)}") from error
        with using:
            yield folder / "bin" / "python"

    async def _ensure(self, folder: Path, cell: Cell, lock: Lock, say: Say) -> None:
        damage = await asyncio.to_thread(find_damage, folder, _wanted(lock))
        if not damage:
            bad = await remove_damaged_bytecode(folder)
            if bad:
                noun = "1 file" if len(bad) == 1 else f"{len(bad)} files"
                say(f"environment {folder.name}: {noun} of damaged bytecode removed, such as {bad[0].name}")
            return
        if damage != NOT_THERE:
            say(f"environment {folder.name}: {damage}; made anew")
            await self._discard(folder)
        async with self._makers:
            await self._make(folder, cell, lock, say)

    async def _discard(self, folder: Path) -> None:
        """Put it aside; files changed in place are changed in uv's cache too, so that forgets them."""
        bad = await asyncio.to_thread(find_bad_distributions, folder)
        await asyncio.to_thread(self.store.put_aside, folder)
        if bad:
            await self.installer.forget(*bad)

    async def _make(self, folder: Path, cell: Cell, lock: Lock, say: Say) -> None:
        """Make it under a temporary name; what uv's cache holds damaged is fetched anew, once."""
        for _ in range(_ATTEMPTS):
            with making_folder(self.store.environments) as making:
                try:
                    made = await self._install(making, cell, lock)
                    incomplete = await asyncio.to_thread(find_incomplete, made, _wanted(lock))
                    if not incomplete:
                        await _to_its_end(write_manifest, made)
                        made.rename(folder)
                        return
                finally:
                    await asyncio.to_thread(remove_tree, making)
            say(f"uv's cache holds damaged files of {', '.join(incomplete)}; fetched anew")
            await self.installer.forget(*incomplete)
        raise StoreError("; ".join(incomplete.values()) + ", also when fetched anew")

    async def _install(self, making: Path, cell: Cell, lock: Lock) -> Path:
        """An environment from uv's cache, or, in another folder, from the indexes."""
        wheels = [each.name for each in lock.distributions if each.name not in cell.source]
        for offline in OFFLINE_FIRST:
            made = making / ("cached" if offline else "fetched")
            await self.installer.make_venv(made, lock.python)
            requirements = made / _REQUIREMENTS
            write_whole(requirements, requirements_text(lock.distributions).encode())
            python = made / "bin" / "python"
            try:
                await self.installer.sync(python, requirements, cell.source, wheels, offline=offline)
            except InstallerEndedError:
                raise
            except StoreError:
                if not offline:
                    raise
            else:
                break
        return made


def _wanted(lock: Lock) -> dict[str, str]:
    return {each.name: each.version for each in lock.distributions}


async def _to_its_end(work: Callable[[Path], None], folder: Path) -> None:
    """Work in a thread that cannot be stopped: when cancelled, wait until it has let go of the folder."""
    thread = asyncio.ensure_future(asyncio.to_thread(work, folder))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise
